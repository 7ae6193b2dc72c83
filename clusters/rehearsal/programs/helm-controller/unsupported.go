package main

import (
	"errors"

	v2 "github.com/fluxcd/helm-controller/api/v2"
)

// refuseUnsupported names what this stand-in does not do. Passing over it would let a rehearsal succeed where the real one would do more.
func refuseUnsupported(object *v2.HelmRelease) error {
	switch {
	case object.HasChartRef() == object.HasChartTemplate():
		return errors.New("exactly one of spec.chart and spec.chartRef must be set")
	case object.GetTest().Enable:
		return errors.New("spec.test is not part of the rehearsal's helm-controller")
	case object.Spec.KubeConfig != nil:
		return errors.New("spec.kubeConfig is not part of the rehearsal's helm-controller")
	case object.HasChartRef() && object.Spec.ChartRef.Kind == "ExternalArtifact":
		return errors.New("ExternalArtifact is not part of the rehearsal's helm-controller")
	case object.Spec.CommonMetadata != nil && len(object.Spec.CommonMetadata.Annotations) > 0:
		return errors.New("spec.commonMetadata.annotations is not part of the rehearsal's helm-controller")
	}
	for _, dependency := range object.Spec.DependsOn {
		if dependency.ReadyExpr != "" {
			return errors.New("spec.dependsOn.readyExpr is not part of the rehearsal's helm-controller")
		}
	}
	return nil
}
