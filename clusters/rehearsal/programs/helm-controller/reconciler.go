package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/patch"
)

type reconciler struct {
	client.Client
	api     client.Reader
	events  record.EventRecorder
	options options
	config  *rest.Config
	http    *http.Client
}

var ownedConditions = []string{
	v2.DriftedCondition, v2.ReleasedCondition, v2.RemediatedCondition, meta.ReconcilingCondition, meta.ReadyCondition, meta.StalledCondition,
}

// errWaiting means: look again later, and leave status.observedGeneration as it is.
var errWaiting = errors.New("waiting")

// Reconcile brings one release up to date. However it ends, the object's status is written last.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (result ctrl.Result, err error) {
	object := &v2.HelmRelease{}
	if err := r.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	patcher := patch.NewSerialPatcher(object, r.Client)
	defer func() { err = r.finish(ctx, patcher, object, result, err) }()

	if !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.delete(ctx, object)
	}
	if !controllerutil.ContainsFinalizer(object, v2.HelmReleaseFinalizer) {
		controllerutil.AddFinalizer(object, v2.HelmReleaseFinalizer)
		return ctrl.Result{Requeue: true}, nil
	}
	if object.Spec.Suspend {
		ctrl.LoggerFrom(ctx).Info("reconciliation is suspended for this object")
		return ctrl.Result{}, nil
	}
	if err := refuseUnsupported(object); err != nil {
		return ctrl.Result{}, r.stall(object, "NotRehearsed", err)
	}
	if err := r.reconcileHelmChart(ctx, object); err != nil {
		return ctrl.Result{}, err
	}
	return r.release(ctx, patcher, object)
}

// stall says that nothing but a change of the object will help.
func (r *reconciler) stall(object *v2.HelmRelease, reason string, err error) error {
	conditions.MarkFalse(object, meta.ReadyCondition, reason, "%s", err)
	conditions.MarkStalled(object, reason, "%s", err)
	conditions.Delete(object, meta.ReconcilingCondition)
	r.events.Event(object, corev1.EventTypeWarning, reason, err.Error())
	return reconcile.TerminalError(err)
}

// fail marks the object not Ready and hands the error back, to be retried with backoff.
func (r *reconciler) fail(object *v2.HelmRelease, reason string, err error) error {
	conditions.MarkFalse(object, meta.ReadyCondition, reason, "%s", err)
	r.events.Event(object, corev1.EventTypeWarning, reason, err.Error())
	return err
}

func (r *reconciler) finish(ctx context.Context, patcher *patch.SerialPatcher, object *v2.HelmRelease, result ctrl.Result, err error) error {
	if request, ok := meta.ReconcileAnnotationValue(object.GetAnnotations()); ok {
		object.Status.SetLastHandledReconcileRequest(request)
	}
	var settled []patch.Option
	if errors.Is(err, reconcile.TerminalError(nil)) || err == nil && !result.Requeue {
		settled = append(settled, patch.WithStatusObservedGeneration{})
	}
	if errors.Is(err, errWaiting) {
		err = nil
	}
	// A status must be written even if this process was told to stop.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	patchErr := savePatch(last, patcher, object, settled...)
	if !object.DeletionTimestamp.IsZero() {
		// Without its finalizer the object is gone before its status is written.
		patchErr = kerrors.FilterOut(patchErr, apierrors.IsNotFound)
	}
	if patchErr != nil {
		return errors.Join(err, patchErr)
	}
	if cacheErr := r.awaitCache(last, object); cacheErr != nil {
		ctrl.LoggerFrom(ctx).Error(cacheErr, "the next reconciliation may act on an old history")
	}
	return err
}

func savePatch(ctx context.Context, patcher *patch.SerialPatcher, object *v2.HelmRelease, more ...patch.Option) error {
	settings := append([]patch.Option{patch.WithFieldOwner(name), patch.WithOwnedConditions{Conditions: ownedConditions}}, more...)
	return patcher.Patch(ctx, object, settings...)
}

// awaitCache waits until the cache holds the history just written: the next reconciliation decides by it.
func (r *reconciler) awaitCache(ctx context.Context, object *v2.HelmRelease) error {
	cached := &v2.HelmRelease{}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 5*time.Second, true, func(ctx context.Context) (bool, error) {
		if err := r.Get(ctx, client.ObjectKeyFromObject(object), cached); err != nil {
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		return equality.Semantic.DeepEqual(object.Status.History, cached.Status.History), nil
	})
}

// delete uninstalls the release and removes what this controller made for it, unless the object is suspended.
func (r *reconciler) delete(ctx context.Context, object *v2.HelmRelease) error {
	if !object.Spec.Suspend {
		if err := r.uninstallDeleted(ctx, object); err != nil {
			return err
		}
		if err := r.deleteHelmChart(ctx, object); err != nil {
			return err
		}
	}
	controllerutil.RemoveFinalizer(object, v2.HelmReleaseFinalizer)
	return nil
}

func (r *reconciler) uninstallDeleted(ctx context.Context, object *v2.HelmRelease) error {
	if object.Status.StorageNamespace == "" {
		return nil
	}
	if err := r.uninstall(ctx, object); err != nil {
		return err
	}
	object.Status.ClearHistory()
	object.Status.StorageNamespace = ""
	return nil
}
