/** Manifests as clusters/home holds them, with what an edit might harm. */
export const settingsFile = 'clusters/home/platform-settings.yaml'
export const appFile = 'clusters/home/app-example.yaml'

export const settings = `# the one file a fork edits
apiVersion: v1
kind: ConfigMap
metadata:
  name: platform-settings
  namespace: flux-system
data:
  ACME_EMAIL:   admin@home.net
  BASE_DOMAIN: "home.net"   # yours
  CERT_ISSUER: letsencrypt-staging # letsencrypt-staging | letsencrypt-prod
  GIT_BRANCH: main
`

export const app = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: app-example
  namespace: flux-system
spec:
  dependsOn:
    - name: tenants
  interval: 10m
  path: ./tenants/apps/example/overlays/staging-le-staging
  prune: true
`
