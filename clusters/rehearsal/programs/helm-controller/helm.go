package main

import (
	"context"
	"log/slog"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"

	helmrelease "helm.sh/helm/v4/pkg/release"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"

	v2 "github.com/fluxcd/helm-controller/api/v2"
)

// observer is told of every release that was really written to, or deleted from, Helm's storage.
// Helm's actions may return an object that they did not store.
type observer func(*releasev1.Release)

// helmConfiguration is Helm's view of the cluster for one action. Waits end with ctx.
func helmConfiguration(ctx context.Context, on *cluster, object *v2.HelmRelease, readers readerMaker, see observer) *action.Configuration {
	access := getter{cluster: on, namespace: object.GetReleaseNamespace()}
	kube := helmkube.New(access)
	kube.Namespace = access.namespace
	kube.SetLogger(slog.DiscardHandler)
	records := storage.Init(observed{driver.NewSecrets(on.typed.CoreV1().Secrets(object.Status.StorageNamespace)), see})
	records.SetLogger(slog.DiscardHandler)
	configuration := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	configuration.RESTClientGetter = access
	configuration.Releases = records
	configuration.KubeClient = &waitingClient{Client: kube, waiter: waiter{ctx: ctx, cluster: on, readers: readers}}
	return configuration
}

// waitingClient is Helm's client with Flux's way to wait.
type waitingClient struct {
	*helmkube.Client
	waiter waiter
}

func (c *waitingClient) GetWaiter(strategy helmkube.WaitStrategy) (helmkube.Waiter, error) {
	return c.GetWaiterWithOptions(strategy)
}

func (c *waitingClient) GetWaiterWithOptions(strategy helmkube.WaitStrategy, more ...helmkube.WaitOption) (helmkube.Waiter, error) {
	if strategy == helmkube.LegacyStrategy {
		return c.Client.GetWaiterWithOptions(strategy, more...)
	}
	chosen := c.waiter
	chosen.hooksOnly = strategy == helmkube.HookOnlyStrategy
	return &chosen, nil
}

type waits interface{ GetDisableWait() bool }

func waitStrategy(object *v2.HelmRelease, spec waits) helmkube.WaitStrategy {
	switch {
	case spec.GetDisableWait():
		return helmkube.HookOnlyStrategy
	case object.GetWaitStrategy() == "legacy":
		return helmkube.LegacyStrategy
	default:
		return helmkube.StatusWatcherStrategy
	}
}

// observed is a storage driver that tells of what it has written.
type observed struct {
	driver.Driver
	see observer
}

func (o observed) Create(key string, stored helmrelease.Releaser) error {
	return o.tell(stored, o.Driver.Create(key, stored))
}

func (o observed) Update(key string, stored helmrelease.Releaser) error {
	return o.tell(stored, o.Driver.Update(key, stored))
}

func (o observed) Delete(key string) (helmrelease.Releaser, error) {
	stored, err := o.Driver.Delete(key)
	return stored, o.tell(stored, err)
}

func (o observed) tell(stored helmrelease.Releaser, err error) error {
	if written, ok := stored.(*releasev1.Release); ok && err == nil && o.see != nil {
		o.see(written)
	}
	return err
}
