package main

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// reconcileHelmChart applies the HelmChart that spec.chart describes, and deletes one that it does not describe any more.
func (r *reconciler) reconcileHelmChart(ctx context.Context, object *v2.HelmRelease) error {
	_, key := sourceOf(object)
	if current := object.Status.HelmChart; current != "" && (object.HasChartRef() || current != key.String()) {
		if err := r.deleteHelmChart(ctx, object); err != nil {
			return err
		}
	}
	if object.HasChartRef() {
		return nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(helmChartOf(object))
	if err != nil {
		return err
	}
	delete(content, "status")
	chart := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: content})
	if err := r.Apply(ctx, chart, client.FieldOwner(name), client.ForceOwnership); err != nil {
		return fmt.Errorf("failed to run server-side apply: %w", err)
	}
	object.Status.HelmChart = key.String()
	return nil
}

func helmChartOf(object *v2.HelmRelease) *sourcev1.HelmChart {
	template := object.Spec.Chart.DeepCopy()
	_, key := sourceOf(object)
	chart := &sourcev1.HelmChart{
		TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.HelmChartKind},
		ObjectMeta: metav1.ObjectMeta{Name: key.Name, Namespace: key.Namespace, Labels: map[string]string{}},
		Spec: sourcev1.HelmChartSpec{
			Chart:                    template.Spec.Chart,
			Version:                  template.Spec.Version,
			SourceRef:                sourcev1.LocalHelmChartSourceReference{Kind: template.Spec.SourceRef.Kind, Name: template.Spec.SourceRef.Name},
			Interval:                 template.GetInterval(object.Spec.Interval),
			ReconcileStrategy:        template.Spec.ReconcileStrategy,
			ValuesFiles:              template.Spec.ValuesFiles,
			IgnoreMissingValuesFiles: template.Spec.IgnoreMissingValuesFiles,
		},
	}
	if meta := template.ObjectMeta; meta != nil {
		chart.Annotations = meta.Annotations
		for label, value := range meta.Labels {
			chart.Labels[label] = value
		}
	}
	for label, value := range originLabels(object) {
		chart.Labels[label] = value
	}
	if verify := template.Spec.Verify; verify != nil {
		chart.Spec.Verify = &sourcev1.HelmChartVerification{Provider: verify.Provider, SecretRef: verify.SecretRef}
	}
	return chart
}

func (r *reconciler) deleteHelmChart(ctx context.Context, object *v2.HelmRelease) error {
	namespace, chartName, found := strings.Cut(object.Status.HelmChart, "/")
	if !found {
		return nil
	}
	chart := &sourcev1.HelmChart{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: chartName}}
	if err := r.Delete(ctx, chart); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("failed to delete HelmChart '%s': %w", object.Status.HelmChart, err)
	}
	object.Status.HelmChart = ""
	return nil
}
