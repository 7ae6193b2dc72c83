package main

import (
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	v2 "github.com/fluxcd/helm-controller/api/v2"
)

// cluster is what the Helm actions of one reconciliation share of the API server.
// Its mapper is new each time, and asks again for a kind that it does not know: CRDs come and go.
type cluster struct {
	config *rest.Config
	http   *http.Client
	mapper meta.RESTMapper
	client client.Client
	typed  kubernetes.Interface
}

func newCluster(config *rest.Config, connections *http.Client) (*cluster, error) {
	mapper, err := apiutil.NewDynamicRESTMapper(config, connections)
	if err != nil {
		return nil, err
	}
	direct, err := client.New(config, client.Options{HTTPClient: connections, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	typed, err := kubernetes.NewForConfigAndClient(config, connections)
	if err != nil {
		return nil, err
	}
	return &cluster{config: config, http: connections, mapper: mapper, client: direct, typed: typed}, nil
}

// clusterFor is the cluster as the object's service account sees it, if there is one.
func (r *reconciler) clusterFor(object *v2.HelmRelease) (*cluster, error) {
	account := object.Spec.ServiceAccountName
	if account == "" {
		account = r.options.serviceAccount
	}
	if account == "" {
		return newCluster(r.config, r.http)
	}
	config := rest.CopyConfig(r.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + object.Namespace + ":" + account}
	connections, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return newCluster(config, connections)
}

// getter hands the cluster to Helm, with the release's namespace as the default one.
type getter struct {
	*cluster
	namespace string
}

// ToRESTConfig gives a copy: kubectl's factory, which Helm uses, writes the path of each kind into what it gets.
func (g getter) ToRESTConfig() (*rest.Config, error)    { return rest.CopyConfig(g.config), nil }
func (g getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }
func (g getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}}
	return clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, overrides)
}
func (g getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	fresh, err := discovery.NewDiscoveryClientForConfigAndClient(g.config, g.http)
	return memory.NewMemCacheClient(fresh), err
}
