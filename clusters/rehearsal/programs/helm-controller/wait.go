package main

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	helmkube "helm.sh/helm/v4/pkg/kube"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/clusterreader"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/statusreaders"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/runtime/controller"
	runtimereaders "github.com/fluxcd/pkg/runtime/statusreaders"
	"github.com/fluxcd/pkg/ssa"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
)

// helm-controller's own, not configurable there either. The first look is at once.
const (
	healthInterval   = 5 * time.Second
	deletionInterval = 2 * time.Second
)

// readerMaker makes a reader that judges objects of some kinds.
type readerMaker func(meta.RESTMapper) engine.StatusReader

// waiter waits as helm-controller does: it polls kstatus, gives up at the first failed object, and stops when the object is enqueued again
// (only with the gate CancelHealthCheckOnNewRevision).
type waiter struct {
	ctx       context.Context
	cluster   *cluster
	readers   readerMaker
	hooksOnly bool
}

func (w *waiter) Wait(resources helmkube.ResourceList, timeout time.Duration) error {
	if w.hooksOnly {
		return nil
	}
	return w.poll(controller.GetInterruptContext(w.ctx), resources, ssa.WaitOptions{Timeout: timeout, FailFast: true})
}

func (w *waiter) WaitWithJobs(resources helmkube.ResourceList, timeout time.Duration) error {
	if w.hooksOnly {
		return nil
	}
	interruptible := controller.GetInterruptContext(w.ctx)
	return w.poll(interruptible, resources, ssa.WaitOptions{Timeout: timeout, FailFast: true}, runtimereaders.NewCustomJobStatusReader)
}

// WatchUntilReady waits for hooks. They may be migrations: no new revision interrupts them, and a failed pod may be tried again by its Job.
func (w *waiter) WatchUntilReady(resources helmkube.ResourceList, timeout time.Duration) error {
	return w.poll(w.ctx, resources, ssa.WaitOptions{Timeout: timeout}, runtimereaders.NewCustomJobStatusReader, newHookPodReader, newAnyReader)
}

func (w *waiter) WaitForDelete(resources helmkube.ResourceList, timeout time.Duration) error {
	if w.hooksOnly {
		return nil
	}
	var objects []*unstructured.Unstructured
	for _, resource := range resources {
		deleted := &unstructured.Unstructured{}
		deleted.SetGroupVersionKind(resource.Object.GetObjectKind().GroupVersionKind())
		deleted.SetNamespace(resource.Namespace)
		deleted.SetName(resource.Name)
		objects = append(objects, deleted)
	}
	return w.manager().WaitForTermination(objects, ssa.WaitOptions{Interval: deletionInterval, Timeout: timeout})
}

func (w *waiter) poll(ctx context.Context, resources helmkube.ResourceList, settings ssa.WaitOptions, readers ...readerMaker) error {
	var set object.ObjMetadataSet
	var jobs []*unstructured.Unstructured
	for _, resource := range resources {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(resource.Object)
		if err != nil {
			return err
		}
		kind := resource.Object.GetObjectKind().GroupVersionKind()
		paused, _, _ := unstructured.NestedBool(content, "spec", "paused")
		if paused && kind == appsv1.SchemeGroupVersion.WithKind("Deployment") {
			continue
		}
		if kind == batchv1.SchemeGroupVersion.WithKind("Job") {
			jobs = append(jobs, &unstructured.Unstructured{Object: content})
		}
		identity, err := object.RuntimeToObjMeta(resource.Object)
		if err != nil {
			return err
		}
		set = append(set, identity)
	}
	settings.Interval, settings.JobsWithTTL = healthInterval, ssautils.ExtractJobsWithTTL(jobs)
	return w.manager(readers...).WaitForSetWithContext(ctx, set, settings)
}

// manager judges by spec.healthCheckExprs first, then by the readers, then by kstatus.
func (w *waiter) manager(readers ...readerMaker) *ssa.ResourceManager {
	var custom []engine.StatusReader
	if w.readers != nil {
		custom = append(custom, w.readers(w.cluster.mapper))
	}
	for _, make := range readers {
		custom = append(custom, make(w.cluster.mapper))
	}
	poller := polling.NewStatusPoller(w.cluster.client, w.cluster.mapper, polling.Options{
		CustomStatusReaders:  custom,
		ClusterReaderFactory: engine.ClusterReaderFactoryFunc(clusterreader.NewDirectClusterReader),
	})
	return ssa.NewResourceManager(w.cluster.client, poller, ssa.Owner{})
}

// newAnyReader takes whatever is neither Job nor Pod as ready, as Helm does for hooks.
func newAnyReader(mapper meta.RESTMapper) engine.StatusReader {
	return statusreaders.NewGenericStatusReader(mapper, func(*unstructured.Unstructured) (*status.Result, error) {
		return &status.Result{Status: status.CurrentStatus, Message: "Resource is current"}, nil
	})
}

type hookPodReader struct{ engine.StatusReader }

func (hookPodReader) Supports(kind schema.GroupKind) bool {
	return kind == schema.GroupKind{Kind: "Pod"}
}

// newHookPodReader takes a hook's Pod as ready when it has ended well.
func newHookPodReader(mapper meta.RESTMapper) engine.StatusReader {
	return hookPodReader{statusreaders.NewGenericStatusReader(mapper, func(pod *unstructured.Unstructured) (*status.Result, error) {
		phase, _, err := unstructured.NestedString(pod.Object, "status", "phase")
		result := &status.Result{Status: status.InProgressStatus, Message: "pod " + pod.GetName() + " is " + phase}
		switch corev1.PodPhase(phase) {
		case corev1.PodSucceeded:
			result.Status = status.CurrentStatus
		case corev1.PodFailed:
			result.Status = status.FailedStatus
		}
		return result, err
	})}
}
