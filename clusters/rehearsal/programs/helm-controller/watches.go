package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/controller"
	"github.com/fluxcd/pkg/runtime/predicates"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// indexReferences finds HelmReleases by what they refer to, as Kind/namespace/name.
const indexReferences = ".spec.references"

// setup watches HelmReleases, their chart sources, and the labelled Secrets and ConfigMaps of their values.
func (r *reconciler) setup(ctx context.Context, manager ctrl.Manager) error {
	if err := manager.GetFieldIndexer().IndexField(ctx, &v2.HelmRelease{}, indexReferences, references); err != nil {
		return err
	}
	configs, err := controller.GetWatchConfigsPredicate(r.options.watch)
	if err != nil {
		return err
	}
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicates.ReconcileRequestedPredicate{})
	var complete reconcile.TypedReconciler[reconcile.Request] = r
	enqueue := func(_ string, find handler.MapFunc) handler.EventHandler {
		return handler.EnqueueRequestsFromMapFunc(find)
	}
	var build *builder.Builder
	if r.options.cancelHealthCheck {
		// Flux's wrapper cancels the context that health checks wait on as soon as the same object is enqueued again.
		wrapped := controller.WrapReconciler(r)
		complete, enqueue = wrapped, wrapped.EnqueueRequestsFromMapFunc
		build = controller.NewControllerManagedBy(manager, wrapped).For(&v2.HelmRelease{}, changed).Builder
	} else {
		build = ctrl.NewControllerManagedBy(manager).For(&v2.HelmRelease{}, builder.WithPredicates(changed))
	}
	build.
		Watches(&sourcev1.HelmChart{}, enqueue(sourcev1.HelmChartKind, r.usersOf(sourcev1.HelmChartKind)), builder.WithPredicates(sourceChanged{})).
		Watches(&sourcev1.OCIRepository{}, enqueue(sourcev1.OCIRepositoryKind, r.usersOf(sourcev1.OCIRepositoryKind)), builder.WithPredicates(sourceChanged{}))
	if r.options.watchConfigs {
		labelled := builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}, configs)
		build.
			WatchesMetadata(&corev1.ConfigMap{}, enqueue("ConfigMap", r.usersOf("ConfigMap")), labelled).
			WatchesMetadata(&corev1.Secret{}, enqueue("Secret", r.usersOf("Secret")), labelled)
	}
	return build.WithOptions(crcontroller.Options{RateLimiter: controller.GetRateLimiter(r.options.rateLimiter)}).Complete(complete)
}

func references(object client.Object) []string {
	release := object.(*v2.HelmRelease)
	kind, key := sourceOf(release)
	found := []string{kind + "/" + key.String()}
	for _, from := range release.Spec.ValuesFrom {
		found = append(found, from.Kind+"/"+release.Namespace+"/"+from.Name)
	}
	return found
}

// usersOf finds the HelmReleases to reconcile for a changed object of the kind.
func (r *reconciler) usersOf(kind string) handler.MapFunc {
	return func(ctx context.Context, object client.Object) []reconcile.Request {
		var releases v2.HelmReleaseList
		key := kind + "/" + client.ObjectKeyFromObject(object).String()
		if err := r.List(ctx, &releases, client.MatchingFields{indexReferences: key}); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list HelmReleases", "reference", key)
			return nil
		}
		source, isSource := object.(sourcev1.Source)
		var requests []reconcile.Request
		for i := range releases.Items {
			release := &releases.Items[i]
			if isSource && isHandled(release, source) {
				continue
			}
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(release)})
		}
		return requests
	}
}

// isHandled tells that there is nothing to fetch, or that the release is made, or being made, from this very artifact.
func isHandled(release *v2.HelmRelease, source sourcev1.Source) bool {
	artifact := source.GetArtifact()
	if artifact == nil {
		return true
	}
	if !conditions.IsReady(release) && !conditions.IsReconciling(release) {
		return false
	}
	if _, ok := source.(*sourcev1.OCIRepository); ok {
		return release.Status.LastAttemptedRevisionDigest == revisionDigest(artifact.Revision)
	}
	return artifact.HasRevision(release.Status.GetLastAttemptedRevision())
}

// sourceChanged lets a source through when it has a new artifact or turned Ready.
type sourceChanged struct{ predicate.Funcs }

func (sourceChanged) Create(event.CreateEvent) bool { return false }
func (sourceChanged) Delete(event.DeleteEvent) bool { return false }
func (sourceChanged) Update(e event.UpdateEvent) bool {
	before, ok := e.ObjectOld.(sourcev1.Source)
	after, alsoOK := e.ObjectNew.(sourcev1.Source)
	if !ok || !alsoOK {
		return false
	}
	if artifact := after.GetArtifact(); artifact != nil && (before.GetArtifact() == nil || !before.GetArtifact().HasRevision(artifact.Revision)) {
		return true
	}
	old, _ := e.ObjectOld.(conditions.Getter)
	current, _ := e.ObjectNew.(conditions.Getter)
	return !conditions.IsReady(old) && conditions.IsReady(current)
}
