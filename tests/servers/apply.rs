//! `apply`, `create` and `delete` by the real `ko-rs`, judged by kubectl and by the pods.
//!
//! * `delinkcious`: a whole system, from its sources to answers over HTTP.
//! * `kubectl`: the same words, the same objects and no quarrel with kubectl.
//! * `choices`: which cluster, which namespace, which objects, and trying it out.
//! * `duplicates`: what the server refuses as there twice, found before.
//! * `mapped`: images of the map, applied and deleted.
//! * `waiting`: rollouts that come to nothing.

mod choices;
mod delinkcious;
mod duplicates;
mod kubectl;
mod mapped;
mod waiting;

/// A Deployment of no pods and what lies around it: objects of many kinds without a reference, all
/// written as the server has them (of others kubectl says each time that it configured them).
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
