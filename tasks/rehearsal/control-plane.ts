/** The command lines of the control plane. Flags say where it differs from a cluster of your own; credentials are in files only. */
import path from 'node:path'
import type { ChildSpec } from './child.ts'
import type { Ports } from './ports.ts'

export interface Place {
  folder: string
  programs: string
  ports: Ports
}

/** TEST-NET-1: an address of the simulated node that leads nowhere. */
export const NODE_ADDRESS = '192.0.2.1'
export const NODE_NAME = 'rehearsal'

const pki = (place: Place, file: string): string => path.join(place.folder, 'pki', file)
const program = (place: Place, name: string): string => path.join(place.programs, name)
const loopback = (port: number, scheme = 'https'): string => `${scheme}://127.0.0.1:${port}`

export function etcd(place: Place): ChildSpec {
  const tls = (prefix: string) => [
    `--${prefix}cert-file=${pki(place, 'etcd.pem')}`, `--${prefix}key-file=${pki(place, 'etcd-key.pem')}`,
    `--${prefix}trusted-ca-file=${pki(place, 'ca.pem')}`, `--${prefix}client-cert-auth`,
  ]
  const peer = loopback(place.ports.etcdPeer)
  const client = loopback(place.ports.etcd)
  return {
    name: 'etcd', program: program(place, 'etcd'), args: [
      `--data-dir=${path.join(place.folder, 'etcd')}`, '--log-level=warn', ...tls(''), ...tls('peer-'),
      `--listen-client-urls=${client}`, `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`,
      // a rehearsal may be lost with the machine; waiting for the disk would cost a second per install
      '--unsafe-no-fsync',
    ],
  }
}

export function apiserver(place: Place): ChildSpec {
  const key = pki(place, 'service-account-key.pem')
  return {
    name: 'kube-apiserver', program: program(place, 'kube-apiserver'), patience: 15_000, args: [
      `--etcd-servers=${loopback(place.ports.etcd)}`, `--etcd-cafile=${pki(place, 'ca.pem')}`,
      `--etcd-certfile=${pki(place, 'apiserver.pem')}`, `--etcd-keyfile=${pki(place, 'apiserver-key.pem')}`,
      '--bind-address=127.0.0.1', `--secure-port=${place.ports.apiserver}`, `--advertise-address=${NODE_ADDRESS}`,
      `--tls-cert-file=${pki(place, 'apiserver.pem')}`, `--tls-private-key-file=${pki(place, 'apiserver-key.pem')}`,
      '--authorization-mode=RBAC', '--anonymous-auth=false', `--token-auth-file=${pki(place, 'tokens.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc', `--service-account-signing-key-file=${key}`, `--service-account-key-file=${pki(place, 'service-account.pem')}`,
      '--service-cluster-ip-range=10.96.0.0/16', '--allow-privileged=true', '--delete-collection-workers=4', '--profiling=false',
    ],
  }
}

export function controllerManager(place: Place): ChildSpec {
  return {
    name: 'kube-controller-manager', program: program(place, 'kube-controller-manager'), args: [
      `--kubeconfig=${path.join(place.folder, 'control-plane.kubeconfig')}`, '--leader-elect=false', '--secure-port=0', '--profiling=false',
      `--service-account-private-key-file=${pki(place, 'service-account-key.pem')}`, `--root-ca-file=${pki(place, 'ca.pem')}`,
      '--kube-api-qps=300', '--kube-api-burst=600',
    ],
  }
}

export function scheduler(place: Place): ChildSpec {
  return {
    name: 'kube-scheduler', program: program(place, 'kube-scheduler'), args: [
      `--kubeconfig=${path.join(place.folder, 'control-plane.kubeconfig')}`, '--leader-elect=false', '--secure-port=0', '--profiling=false',
      '--kube-api-qps=300', '--kube-api-burst=600',
    ],
  }
}

/** Simulates the node and its pods: every pod that is scheduled is Ready at once, every Job succeeds. */
export function kwok(place: Place): ChildSpec {
  return {
    name: 'kwok', program: program(place, 'kwok'), args: [
      `--kubeconfig=${path.join(place.folder, 'control-plane.kubeconfig')}`, `--config=${path.join(place.programs, 'data', 'stages.yaml')}`,
      // without a lease the node turns NotReady after a minute, and every Deployment with it
      '--manage-all-nodes', '--node-lease-duration-seconds=40', `--node-ip=${NODE_ADDRESS}`, `--server-address=127.0.0.1:${place.ports.kwok}`,
    ],
  }
}
