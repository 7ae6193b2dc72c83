package main

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/ssa/jsondiff"
	"github.com/fluxcd/pkg/ssa/normalize"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
)

// drift compares the release's manifest with the cluster by server-side apply in dry run. What it found is good even beside an error.
func (w *work) drift(ctx context.Context, release *releasev1.Release) (jsondiff.DiffSet, error) {
	objects, err := w.manifestObjects(release)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if err := w.takeOver(ctx, object); err != nil {
			return nil, err
		}
	}
	settings := []jsondiff.ListOption{
		jsondiff.FieldOwner(name),
		jsondiff.ExclusionSelector{v2.DriftDetectionMetadataKey: v2.DriftDetectionDisabledValue},
		jsondiff.Rationalize(true),
		jsondiff.Graceful(true),
	}
	var ignored jsondiff.IgnoreRules
	for _, rule := range w.object.GetDriftDetection().Ignore {
		compiled := jsondiff.IgnoreRule{Paths: rule.Paths}
		if target := rule.Target; target != nil {
			compiled.Selector = &jsondiff.Selector{
				Group: target.Group, Version: target.Version, Kind: target.Kind, Name: target.Name, Namespace: target.Namespace,
				AnnotationSelector: target.AnnotationSelector, LabelSelector: target.LabelSelector,
			}
		}
		ignored = append(ignored, compiled)
	}
	if len(ignored) > 0 {
		settings = append(settings, ignored)
	}
	return jsondiff.UnstructuredList(ctx, client.NewDryRunClient(w.cluster.client), objects, settings...)
}

// manifestObjects are the release's objects as Helm applies them: with its labels, annotations and namespace.
func (w *work) manifestObjects(release *releasev1.Release) ([]*unstructured.Unstructured, error) {
	objects, err := ssautils.ReadObjects(strings.NewReader(release.Manifest))
	if err != nil {
		return nil, fmt.Errorf("failed to read objects from release manifest: %w", err)
	}
	if err := normalize.UnstructuredListWithScheme(objects, w.cluster.client.Scheme()); err != nil {
		return nil, fmt.Errorf("failed to normalize release objects: %w", err)
	}
	for _, object := range objects {
		setNested("app.kubernetes.io/managed-by", "Helm", object.GetLabels, object.SetLabels)
		setNested("meta.helm.sh/release-name", release.Name, object.GetAnnotations, object.SetAnnotations)
		setNested("meta.helm.sh/release-namespace", release.Namespace, object.GetAnnotations, object.SetAnnotations)
		namespaced, err := apiutil.IsObjectNamespaced(object, w.cluster.client.Scheme(), w.cluster.mapper)
		if err != nil {
			return nil, fmt.Errorf("failed to determine if %s is namespace scoped: %w", object.GetKind(), err)
		}
		if namespaced && object.GetNamespace() == "" {
			object.SetNamespace(release.Namespace)
		}
	}
	return objects, nil
}

// setNested sets one label or annotation.
func setNested(key, value string, get func() map[string]string, set func(map[string]string)) {
	values := get()
	if values == nil {
		values = map[string]string{}
	}
	values[key] = value
	set(values)
}

func resourceName(change *jsondiff.Diff) string {
	return fmt.Sprintf("%s/%s/%s", change.GroupVersionKind().Kind, change.GetNamespace(), change.GetName())
}

func describeDrift(drift jsondiff.DiffSet) string {
	var lines []string
	for _, change := range drift {
		switch change.Type {
		case jsondiff.DiffTypeCreate:
			lines = append(lines, resourceName(change)+" removed")
		case jsondiff.DiffTypeUpdate:
			lines = append(lines, fmt.Sprintf("%s changed (%d changes)", resourceName(change), len(change.Patch)))
		}
	}
	return strings.Join(lines, "\n")
}
