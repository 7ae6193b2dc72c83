package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/controller"
	"github.com/fluxcd/pkg/runtime/jitter"
	"github.com/fluxcd/pkg/runtime/patch"
)

// work is one reconciliation of one release, after its prerequisites were found.
type work struct {
	*reconciler
	cluster  *cluster
	patcher  *patch.SerialPatcher
	object   *v2.HelmRelease
	chart    *chartv2.Chart
	revision string
	values   common.Values
	readers  readerMaker
}

var (
	errRetryLater       = errors.New("retry after interval")
	errRequeue          = errors.New("must requeue")
	errRetriesExceeded  = errors.New("exceeded maximum retries")
	errNoRollbackTarget = errors.New("missing target release for rollback")
)

// run looks at the release, takes the one step that its state calls for, and looks again, until nothing is left to do.
// No kind of step is taken twice in one reconciliation.
func (w *work) run(ctx context.Context) error {
	taken := map[kind]bool{}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("atomic release canceled: %w", err)
		}
		state, err := w.determineState(ctx)
		if err != nil {
			conditions.MarkFalse(w.object, meta.ReadyCondition, "StateError", "Could not determine release state: %s", err)
			return err
		}
		ctrl.LoggerFrom(ctx).Info("release state", "status", state.status, "reason", state.reason)
		next, err := w.nextStep(ctx, state)
		if err != nil {
			return w.giveUp(err)
		}
		if next == nil {
			conditions.Delete(w.object, meta.ReconcilingCondition)
			return w.summarize()
		}
		if taken[next.kind] {
			return w.pause()
		}
		if err := w.take(ctx, next); err != nil {
			return err
		}
		if next.kind == remediation {
			return w.pause()
		}
		taken[next.kind] = true
		if err := savePatch(ctx, w.patcher, w.object); err != nil {
			return err
		}
	}
}

// take announces the step in the object's status, then does it.
func (w *work) take(ctx context.Context, next *step) error {
	message := fmt.Sprintf("Running '%s' action with timeout of %s", next.name, next.timeout)
	conditions.MarkReconciling(w.object, meta.ProgressingReason, "%s", message)
	if next.kind == making {
		conditions.MarkUnknown(w.object, meta.ReadyCondition, meta.ProgressingReason, "%s", message)
	}
	if err := savePatch(ctx, w.patcher, w.object); err != nil {
		return err
	}
	ctrl.LoggerFrom(ctx).Info(message)
	err := next.do(ctx)
	if err == nil {
		return nil
	}
	ctrl.LoggerFrom(ctx).Error(err, "failed to run action", "action", next.name)
	if w.object.GetActiveRetry(w.options.retryOnFailure) != nil {
		return w.pause()
	}
	if conditions.IsReady(w.object) {
		conditions.MarkFalse(w.object, meta.ReadyCondition, "ReconcileError", "%s", err)
	}
	return err
}

// pause ends this reconciliation with more to do: later with RetryOnFailure, at once while remediation has retries left.
func (w *work) pause() error {
	if retry := w.object.GetActiveRetry(w.options.retryOnFailure); retry != nil {
		conditions.MarkReconciling(w.object, meta.ProgressingWithRetryReason, "retrying after %s", retry.GetRetryInterval())
		return errRetryLater
	}
	remedy := w.object.GetActiveRemediation()
	if remedy == nil || !remedy.RetriesExhausted(w.object) || remedy.IsUninstallAfterUpgrade() {
		conditions.MarkReconciling(w.object, meta.ProgressingWithRetryReason, "%s", conditions.GetMessage(w.object, meta.ReadyCondition))
		return errRequeue
	}
	return w.giveUp(errRetriesExceeded)
}

// giveUp marks the object stalled where only a change of it, or a reset, can help.
func (w *work) giveUp(err error) error {
	switch {
	case errors.Is(err, errRetriesExceeded):
		failures := int64(0)
		if remedy := w.object.GetActiveRemediation(); remedy != nil {
			failures = remedy.GetFailureCount(w.object)
		}
		conditions.MarkStalled(w.object, "RetriesExceeded", "Failed to %s after %d attempt(s)", w.object.Status.LastAttemptedReleaseAction, failures)
	case errors.Is(err, errNoRollbackTarget):
		conditions.MarkStalled(w.object, "MissingRollbackTarget", "Failed to perform remediation: %s", err)
	}
	return err
}

// outcome turns the end of the work into when to look again.
func (w *work) outcome(ctx context.Context, err error) (ctrl.Result, error) {
	if err == nil {
		return jitter.JitteredRequeueInterval(ctrl.Result{RequeueAfter: w.object.GetRequeueAfter()}), nil
	}
	if enqueued, by := controller.IsObjectEnqueued(ctx); enqueued {
		trigger := fmt.Sprintf("%s/%s/%s", by.Kind, by.Namespace, by.Name)
		conditions.MarkFalse(w.object, meta.ReadyCondition, meta.HealthCheckCanceledReason, "New reconciliation triggered by %s", trigger)
		w.events.Event(w.object, corev1.EventTypeNormal, meta.HealthCheckCanceledReason,
			"Health checks canceled due to new reconciliation triggered by "+trigger)
		return ctrl.Result{Requeue: true}, nil
	}
	switch {
	case errors.Is(err, errRetryLater):
		return jitter.JitteredRequeueInterval(ctrl.Result{RequeueAfter: w.retryInterval()}), nil
	case errors.Is(err, errRequeue):
		return ctrl.Result{Requeue: true}, nil
	case errors.Is(err, errRetriesExceeded), errors.Is(err, errNoRollbackTarget):
		return ctrl.Result{}, reconcile.TerminalError(err)
	}
	return ctrl.Result{}, err
}

func (w *work) retryInterval() time.Duration {
	return w.object.GetActiveRetry(w.options.retryOnFailure).GetRetryInterval()
}
