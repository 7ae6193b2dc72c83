package main

import (
	"time"

	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fluxcd/pkg/runtime/acl"
	runtimeclient "github.com/fluxcd/pkg/runtime/client"
	"github.com/fluxcd/pkg/runtime/controller"
	"github.com/fluxcd/pkg/runtime/features"
	"github.com/fluxcd/pkg/runtime/jitter"
	"github.com/fluxcd/pkg/runtime/leaderelection"
	"github.com/fluxcd/pkg/runtime/logger"
)

// The gates that this program honours.
const (
	gateCancelHealthCheck     = "CancelHealthCheckOnNewRevision"
	gateRetryOnFailure        = "DefaultToRetryOnFailure"
	gateNoDigestTracking      = "DisableChartDigestTracking"
	gateDisableConfigWatchers = controller.FeatureGateDisableConfigWatchers
)

// gates are all of helm-controller's, so that a name it does not know stops this program too.
var gates = map[string]bool{
	gateCancelHealthCheck: false, gateRetryOnFailure: false, gateNoDigestTracking: false, gateDisableConfigWatchers: false,
	controller.FeatureGateAdditiveCELDependencyCheck: false, controller.FeatureGateCacheSecretsAndConfigMaps: false,
	controller.FeatureGateDirectSourceFetch: false, controller.FeatureGateExternalArtifact: false,
	"AdoptLegacyReleases": false, "AllowDNSLookups": false, "CorrectDrift": false, "DetectDrift": false, "ObjectLevelWorkloadIdentity": false,
	"OOMWatch": false, "UseHelm3Defaults": false,
}

type options struct {
	metricsAddr, eventsAddr, healthAddr               string
	concurrent, httpRetry                             int
	requeueDependency, gracefulShutdown, httpTimeout  time.Duration
	serviceAccount                                    string
	overrideManagers                                  []string
	acl                                               acl.Options
	client                                            runtimeclient.Options
	leaderElection                                    leaderelection.Options
	log                                               logger.Options
	rateLimiter                                       controller.RateLimiterOptions
	watch                                             controller.WatchOptions
	cancelHealthCheck, retryOnFailure, digestTracking bool
	watchConfigs                                      bool
}

// parseOptions knows every flag of helm-controller 1.6 and no other: an argument that the real one refuses is refused here too.
func parseOptions(args []string) (options, error) {
	var parsed options
	var gateValues features.FeatureGates
	var intervals jitter.IntervalOptions
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.StringVar(&parsed.metricsAddr, "metrics-addr", ":8080", "address of the metrics")
	flags.StringVar(&parsed.eventsAddr, "events-addr", "", "address of the events receiver")
	flags.StringVar(&parsed.healthAddr, "health-addr", ":9440", "address of /healthz and /readyz")
	flags.IntVar(&parsed.concurrent, "concurrent", 4, "HelmReleases reconciled at once")
	flags.IntVar(&parsed.httpRetry, "http-retry", 9, "attempts to fetch a chart")
	flags.DurationVar(&parsed.httpTimeout, "http-timeout", 30*time.Second, "time to fetch a chart")
	flags.DurationVar(&parsed.requeueDependency, "requeue-dependency", 30*time.Second, "pause before dependencies are looked at again")
	flags.DurationVar(&parsed.gracefulShutdown, "graceful-shutdown-timeout", 600*time.Second, "time to finish in")
	flags.StringVar(&parsed.serviceAccount, "default-service-account", "", "impersonated by default")
	flags.StringArrayVar(&parsed.overrideManagers, "override-manager", nil, "field managers that drift correction takes over from")
	parsed.acl.BindFlags(flags)
	parsed.client.BindFlags(flags)
	parsed.leaderElection.BindFlags(flags)
	parsed.log.BindFlags(flags)
	parsed.rateLimiter.BindFlags(flags)
	parsed.watch.BindFlags(flags)
	gateValues.BindFlags(flags)
	intervals.BindFlags(flags)
	acceptUnused(flags)
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if err := intervals.SetGlobalJitter(nil); err != nil {
		return options{}, err
	}
	return parsed, parsed.setGates(&gateValues)
}

// acceptUnused declares flags of parts that this program does not have.
func acceptUnused(flags *pflag.FlagSet) {
	var kubeConfig runtimeclient.KubeConfigOptions
	kubeConfig.BindFlags(flags)
	flags.String("default-kubeconfig-service-account", "", "unused")
	flags.Duration("oom-watch-interval", 0, "unused")
	flags.Uint8("oom-watch-memory-threshold", 0, "unused")
	flags.String("oom-watch-max-memory-path", "", "unused")
	flags.String("oom-watch-current-memory-path", "", "unused")
	flags.String("snapshot-digest-algo", "", "unused")
	flags.Int("token-cache-max-size", 0, "unused")
	flags.Duration("token-cache-max-duration", 0, "unused")
}

func (o *options) setGates(values *features.FeatureGates) error {
	if err := values.WithLogger(ctrl.Log).SupportedFeatures(gates); err != nil {
		return err
	}
	disableConfigWatchers, noDigestTracking := false, false
	for gate, value := range map[string]*bool{
		gateCancelHealthCheck:     &o.cancelHealthCheck,
		gateRetryOnFailure:        &o.retryOnFailure,
		gateNoDigestTracking:      &noDigestTracking,
		gateDisableConfigWatchers: &disableConfigWatchers,
	} {
		enabled, err := features.Enabled(gate)
		if err != nil {
			return err
		}
		*value = enabled
	}
	o.watchConfigs, o.digestTracking = !disableConfigWatchers, !noDigestTracking
	return nil
}
