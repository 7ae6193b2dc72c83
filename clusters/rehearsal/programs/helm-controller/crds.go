package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	helmkube "helm.sh/helm/v4/pkg/kube"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
)

const crdTimeout = 60 * time.Second

// applyCRDs applies what lies in the crds/ folders of the chart and its enabled dependencies, and waits until it is established.
func (w *work) applyCRDs(ctx context.Context, policy v2.CRDsPolicy, strategy helmkube.WaitStrategy) error {
	if policy == v2.Skip || len(w.chart.CRDObjects()) == 0 {
		return nil
	}
	if err := chartutil.ProcessDependencies(w.chart, w.values); err != nil {
		return fmt.Errorf("failed to process chart dependencies: %w", err)
	}
	var applied helmkube.ResourceList
	for _, file := range w.chart.CRDObjects() {
		objects, err := ssautils.ReadObjects(bytes.NewReader(file.File.Data))
		if err != nil {
			return fmt.Errorf("failed to parse CustomResourceDefinitions from %s: %w", file.Name, err)
		}
		for _, crd := range objects {
			if crd.GetKind() != "CustomResourceDefinition" {
				ctrl.LoggerFrom(ctx).Info("warning: ignoring non-CRD resource found in the chart's crds/ directory", "name", crd.GetName())
				continue
			}
			if err := w.applyCRD(ctx, policy, crd); err != nil {
				return fmt.Errorf("failed to apply CustomResourceDefinition %s: %w", crd.GetName(), err)
			}
			applied = append(applied, &resource.Info{Name: crd.GetName(), Object: crd})
		}
	}
	waiter := waiter{ctx: ctx, cluster: w.cluster, readers: w.readers, hooksOnly: strategy == helmkube.HookOnlyStrategy}
	if err := waiter.Wait(applied, crdTimeout); err != nil {
		return fmt.Errorf("failed to wait for CustomResourceDefinition(s): %w", err)
	}
	return nil
}

func (w *work) applyCRD(ctx context.Context, policy v2.CRDsPolicy, crd *unstructured.Unstructured) error {
	for label, value := range originLabels(w.object) {
		setNested(label, value, crd.GetLabels, crd.SetLabels)
	}
	if policy == v2.CreateReplace {
		return w.cluster.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(crd), client.FieldOwner(name), client.ForceOwnership)
	}
	if err := w.cluster.client.Create(ctx, crd, client.FieldOwner(name)); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}
