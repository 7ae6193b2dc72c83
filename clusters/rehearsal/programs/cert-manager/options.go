package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/klog/v2"

	"github.com/cert-manager/cert-manager/pkg/controller"
)

type options struct {
	workers     int
	controllers controller.ContextOptions
}

// parseOptions reads the arguments of the chart's Deployment. Defaults are cert-manager's own; a flag that is not honoured is passed over.
func parseOptions(args []string) (options, error) {
	parsed := options{controllers: defaults()}
	verbosity := klog.Level(0)
	flags := pflag.NewFlagSet("cert-manager", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Int32VarP((*int32)(&verbosity), "v", "v", 0, "log verbosity")
	flags.IntVar(&parsed.workers, "concurrent-workers", 5, "workers of each controller")
	flags.StringVar(&parsed.controllers.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "where ClusterIssuers keep Secrets")
	flags.StringVar(&parsed.controllers.HTTP01SolverImage, "acme-http01-solver-image", "acmesolver", "image of HTTP-01 solver pods")
	flags.IntVar(&parsed.controllers.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "challenges processed at once")
	flags.BoolVar(&parsed.controllers.EnableOwnerRef, "enable-certificate-owner-ref", false, "Certificates own their Secrets")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if namespace := parsed.controllers.ClusterResourceNamespace; strings.Contains(namespace, "$(") {
		return options{}, fmt.Errorf("--cluster-resource-namespace=%s: expand the variable as kubelet does", namespace)
	}
	return parsed, verbosity.Set(fmt.Sprint(int32(verbosity)))
}

func defaults() controller.ContextOptions {
	return controller.ContextOptions{
		Kubeconfig:         os.Getenv("KUBECONFIG"),
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01CheckRetryPeriod:             10 * time.Second,
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
}
