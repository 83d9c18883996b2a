//! `apply`, `create` and `delete` by the real `ko-rs`, judged by kubectl and by the pods.
//!
//! * `delinkcious`: a whole system, from its sources to answers over HTTP.
//! * `kubectl`: the same output and the same objects as kubectl, without conflicts.
//! * `choices`: the selection of cluster, namespace and objects, and dry runs.
//! * `diff`: what an apply would change, beside `kubectl diff`.
//! * `duplicates`: list entries that the server refuses as duplicates are found before.
//! * `interrupted`: Ctrl-C while objects are written.
//! * `logs`: logs and forwarded ports of pods that end, restart and are replaced.
//! * `mapped`: images of the map, applied and deleted.
//! * `waiting`: rollouts that fail.

mod choices;
mod delinkcious;
mod diff;
mod duplicates;
mod interrupted;
mod kubectl;
mod logs;
mod mapped;
mod waiting;

/// A Deployment without pods and other objects of many kinds, without references. All of them are
/// written as the server stores them; kubectl would print `configured` for others each time.
const SHOP: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: shop, labels: {part: settings}}
data: {greeting: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {part: program}}
spec:
  replicas: 0
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: localhost/pause:1
        env: [{name: A, value: a}, {name: B, value: b}]
        resources: {requests: {cpu: 10m, memory: 1Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, labels: {part: program}}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
data: {password: b3BlbiBzZXNhbWU=}
---
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: shop}
  spec:
    schedule: '0 0 1 1 *'
    suspend: true
    jobTemplate:
      spec:
        template:
          spec: {restartPolicy: Never, containers: [{name: shop, image: localhost/pause:1}]}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: Role
  metadata: {name: shop}
  rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  rules:
  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
";
