package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/object"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// chartSource is a HelmChart or an OCIRepository.
type chartSource interface {
	client.Object
	sourcev1.Source
	conditions.Getter
}

// sourceOf names the object that the release's chart comes from: chartRef, or the HelmChart made from spec.chart.
func sourceOf(release *v2.HelmRelease) (kind string, key types.NamespacedName) {
	switch {
	case release.HasChartRef():
		ref := release.Spec.ChartRef
		kind, key = ref.Kind, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
	case release.HasChartTemplate():
		kind = sourcev1.HelmChartKind
		key = types.NamespacedName{Namespace: release.Spec.Chart.GetNamespace(release.Namespace), Name: release.GetHelmChartName()}
	}
	if key.Namespace == "" {
		key.Namespace = release.Namespace
	}
	return kind, key
}

func (r *reconciler) getSource(ctx context.Context, release *v2.HelmRelease) (chartSource, string, error) {
	kind, key := sourceOf(release)
	var source chartSource = &sourcev1.HelmChart{}
	if kind == sourcev1.OCIRepositoryKind {
		source = &sourcev1.OCIRepository{}
	}
	if err := r.Get(ctx, key, source); err != nil {
		return nil, "", err
	}
	return source, notReady(kind, source), nil
}

// notReady tells why the source cannot be used yet, or nothing.
func notReady(kind string, source chartSource) string {
	observed, err := object.GetStatusObservedGeneration(source)
	why := ""
	switch {
	case err != nil:
		return err.Error()
	case source.GetGeneration() != observed && conditions.IsFalse(source, meta.ReadyCondition):
		why = conditions.GetMessage(source, meta.ReadyCondition)
	case source.GetGeneration() != observed:
		why = "latest generation of object has not been reconciled"
	case conditions.IsStalled(source):
		why = conditions.GetMessage(source, meta.StalledCondition)
	case source.GetArtifact() == nil:
		why = "does not have an artifact"
	default:
		return ""
	}
	return fmt.Sprintf("%s '%s/%s' is not ready: %s", kind, source.GetNamespace(), source.GetName(), why)
}
