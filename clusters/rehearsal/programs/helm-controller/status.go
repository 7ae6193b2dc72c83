package main

import (
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"

	"github.com/fluxcd/cli-utils/pkg/object"
	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
)

func (w *work) summarize() error { return summarize(w.object) }

// summarize makes Ready of Remediated and Released: the newer generation of the two counts, and Remediated before Released. A remedied release is a failure.
func summarize(release *v2.HelmRelease) error {
	var found []*metav1.Condition
	for _, kind := range []string{v2.RemediatedCondition, v2.ReleasedCondition} {
		if condition := conditions.Get(release, kind); condition != nil {
			found = append(found, condition)
		}
	}
	if len(found) == 0 {
		return nil
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].ObservedGeneration > found[j].ObservedGeneration })
	status := found[0].Status
	if found[0].Type == v2.RemediatedCondition {
		status = metav1.ConditionFalse
	}
	if status == metav1.ConditionTrue {
		conditions.Delete(release, meta.StalledCondition)
	}
	conditions.Set(release, &metav1.Condition{
		Type: meta.ReadyCondition, Status: status, Reason: found[0].Reason, Message: found[0].Message, ObservedGeneration: release.Generation,
	})
	var err error
	release.Status.ObservedPostRenderersDigest, release.Status.ObservedCommonMetadataDigest, err = renderDigests(release)
	return err
}

// note emits an event that names the chart's version and the values it is about.
func (r *reconciler) note(release *v2.HelmRelease, kind, reason, message string) {
	about := map[string]string{
		v2.GroupVersion.Group + "/revision": release.Status.LastAttemptedRevision,
		v2.GroupVersion.Group + "/token":    release.Status.LastAttemptedConfigDigest,
	}
	r.events.AnnotatedEventf(release, about, kind, reason, "%s", message)
}

// recordInventory lists in the status what the release consists of: its manifest without hooks, and the chart's CRDs.
func (w *work) recordInventory(release *releasev1.Release) {
	if release == nil {
		return
	}
	inventory := &v2.ResourceInventory{Entries: []v2.ResourceRef{}}
	manifests := []string{release.Manifest}
	for _, crd := range w.chart.CRDObjects() {
		manifests = append(manifests, string(crd.File.Data))
	}
	for _, manifest := range manifests {
		objects, err := ssautils.ReadObjects(strings.NewReader(manifest))
		if err != nil {
			w.events.Event(w.object, "Warning", v2.InventoryBuildFailedReason, err.Error())
			return
		}
		for _, entry := range objects {
			if _, hook := entry.GetAnnotations()[releasev1.HookAnnotation]; hook {
				continue
			}
			namespaced, err := apiutil.IsObjectNamespaced(entry, w.cluster.client.Scheme(), w.cluster.mapper)
			if err != nil {
				ctrl.Log.Info("cannot tell the scope of an object", "kind", entry.GetKind(), "error", err.Error())
			} else if namespaced && entry.GetNamespace() == "" {
				entry.SetNamespace(release.Namespace)
			}
			identity := object.UnstructuredToObjMetadata(entry)
			inventory.Entries = append(inventory.Entries, v2.ResourceRef{ID: identity.String(), Version: entry.GroupVersionKind().Version})
		}
	}
	w.object.Status.Inventory = inventory
}
