// Command helm-controller stands in for Flux helm-controller 1.6 in the rehearsal cluster.
//
// The real one is published as an image only; its API module is. This program reconciles the same API, with the same flags, conditions, reasons and
// messages, through the real Helm SDK and Flux's own runtime packages (values, health checks, server-side apply, drift, cancellation).
// KUBECONFIG names the cluster, RUNTIME_NAMESPACE the namespace to watch without --watch-all-namespaces.
//
// Known differences: helm tests, remote clusters (spec.kubeConfig), ExternalArtifact and readyExpr are refused loudly rather than ignored;
// no metrics of its own, no workload identity, no OOM watch; event messages carry no Helm log; snapshot digests are calculated in another way.
package main

import (
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	helmkube "helm.sh/helm/v4/pkg/kube"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	runtimeclient "github.com/fluxcd/pkg/runtime/client"
	"github.com/fluxcd/pkg/runtime/controller"
	"github.com/fluxcd/pkg/runtime/events"
	"github.com/fluxcd/pkg/runtime/logger"
	"github.com/fluxcd/pkg/runtime/probes"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

const name = "helm-controller"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	options, err := parseOptions(args)
	if err != nil {
		return err
	}
	logger.SetLogger(logger.NewLogger(options.log))
	helmkube.ManagedFieldsManager = name

	manager, err := newManager(options)
	if err != nil {
		return err
	}
	probes.SetupChecks(manager, ctrl.Log)
	recorder, err := events.NewRecorder(manager, ctrl.Log, options.eventsAddr, name)
	if err != nil {
		return err
	}
	reconciler := &reconciler{
		Client: manager.GetClient(), api: manager.GetAPIReader(), events: recorder, options: options,
		config: manager.GetConfig(), http: manager.GetHTTPClient(),
	}
	ctx := ctrl.SetupSignalHandler()
	if err := reconciler.setup(ctx, manager); err != nil {
		return err
	}
	return manager.Start(ctx)
}

func newManager(options options) (ctrl.Manager, error) {
	selector, err := controller.GetWatchSelector(options.watch)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(sourcev1.AddToScheme(scheme))
	utilruntime.Must(v2.AddToScheme(scheme))
	recoverPanic := true
	settings := ctrl.Options{
		Scheme:                        scheme,
		HealthProbeBindAddress:        options.healthAddr,
		LeaderElection:                options.leaderElection.Enable,
		LeaderElectionReleaseOnCancel: options.leaderElection.ReleaseOnCancel,
		LeaseDuration:                 &options.leaderElection.LeaseDuration,
		RenewDeadline:                 &options.leaderElection.RenewDeadline,
		RetryPeriod:                   &options.leaderElection.RetryPeriod,
		LeaderElectionID:              name + "-leader-election",
		GracefulShutdownTimeout:       &options.gracefulShutdown,
		Logger:                        ctrl.Log,
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
		Cache:                         cache.Options{ByObject: map[client.Object]cache.ByObject{&v2.HelmRelease{}: {Label: selector}}},
		Controller:                    config.Controller{RecoverPanic: &recoverPanic, MaxConcurrentReconciles: options.concurrent},
		Metrics:                       metricsserver.Options{BindAddress: options.metricsAddr},
	}
	if !options.watch.AllNamespaces {
		settings.Cache.DefaultNamespaces = map[string]cache.Config{os.Getenv("RUNTIME_NAMESPACE"): {}}
	}
	return ctrl.NewManager(runtimeclient.GetConfigOrDie(options.client), settings)
}
