//! The codes of what can go wrong with a cluster.

use crate::report::codes;

codes! {
    NO_KUBECONFIG = "no-kubeconfig", Failure,
        "There is no kubeconfig file that says which cluster to use.",
        "ko-rs reads the file of `--kubeconfig`, else the files that the variable `KUBECONFIG` lists, \
         else `~/.kube/config`; in a pod it uses the pod's service account. None of these exists. \
         Create one with the tool that created the cluster, or pass its path. `ko-rs resolve` does \
         not need a cluster.";
    INVALID_KUBECONFIG = "invalid-kubeconfig", Failure,
        "The kubeconfig cannot be read, or its context cannot be used.",
        "The file is not YAML, is not a kubeconfig, or the selected context refers to a cluster, a \
         user or a certificate that is missing or broken. `kubectl config view` shows the file \
         without its credentials. Proxies (`proxy-url`) are not supported.";
    UNKNOWN_CONTEXT = "unknown-context", Failure,
        "The kubeconfig does not have the selected context.",
        "The context is selected with `--context`, else by `current-context` in the kubeconfig. \
         `kubectl config get-contexts` lists all contexts.";
    CONTEXT_NOT_ALLOWED = "context-not-allowed", Failure,
        "The selected context is not in `allowContexts`.",
        "`allowContexts` in `.ko-rs.yaml` protects clusters from accidental changes. Select one of \
         its contexts with `--context`, or add the context to the list.";
    CLUSTER_UNREACHABLE = "cluster-unreachable", Failure,
        "The API server cannot be reached, or does not respond in time.",
        "The cluster is not running, the context is of another cluster, a network or a firewall is \
         between, or the certificate of the server is not signed by the authority in the \
         kubeconfig. `kubectl --context CONTEXT version` makes the same connection.";
    NOT_AN_API_SERVER = "not-an-api-server", Failure,
        "The server of the context does not respond like a Kubernetes API server.",
        "The server's URL in the kubeconfig belongs to something else, such as a proxy with a login \
         page or a registry.";
    CLUSTER_UNAUTHORIZED = "cluster-unauthorized", Failure,
        "The API server does not accept the credentials, or there are none.",
        "A token or a client certificate has expired, or the credential plugin of the kubeconfig \
         failed. Log in to the cluster again.";
    CLUSTER_FORBIDDEN = "cluster-forbidden", Failure,
        "The user is not allowed to do this in the cluster.",
        "The message names the user, the verb, the resource and the namespace. A Role or ClusterRole \
         must allow it, a quota or an admission policy may forbid it. `kubectl auth can-i --list` \
         shows what is allowed.";
    CLUSTER_REFUSED = "cluster-refused", Failure,
        "The API server refused a request for another reason.",
        "The message is the one of the server, or of an admission webhook; the number after it is the \
         HTTP status. 429 and 5xx mean that the server is overloaded or restarting: try again.";
    INVALID_OBJECT = "invalid-object", Failure,
        "An object is not valid.",
        "A required field is missing, a field has the wrong type or a value that is not allowed, or \
         the kind has no such field. Nothing of the set was written. `kubectl explain KIND` describes \
         the fields.";
    UNKNOWN_KIND = "unknown-kind", Failure,
        "The cluster does not serve the kind of an object.",
        "`kind` or `apiVersion` is misspelt, the API version was removed from Kubernetes, or the \
         CustomResourceDefinition of the kind is not installed. It may be part of the same set.";
    NAMESPACE_MISMATCH = "namespace-mismatch", Failure,
        "The namespace of an object is not the one of `-n`.",
        "An object whose manifest has a namespace is not moved to another one. Omit `-n`, or remove \
         the namespace from the manifest.";
    DUPLICATE_OBJECT = "duplicate-object", Failure,
        "A set has the same object twice, with different contents.",
        "Two documents have the same kind, namespace and name. Identical duplicates are accepted.";
    OBJECT_NOT_FOUND = "object-not-found", Failure,
        "An object, or the namespace of an object, does not exist.",
        "Create the namespace first or add it to the set. `delete --ignore-not-found` ignores objects \
         that do not exist.";
    OBJECT_EXISTS = "object-exists", Failure,
        "An object cannot be created because it exists.",
        "`ko-rs apply` changes existing objects.";
    FIELD_CONFLICT = "field-conflict", Failure,
        "Another field manager owns fields of an object.",
        "Server-side apply does not overwrite fields that somebody else set. Remove the fields from \
         the manifest, or take them over with `--force-conflicts`. An autoscaler owns \
         `spec.replicas`, for example.";
    OBJECT_CHANGED = "object-changed", Failure,
        "An object was changed by somebody else at the same time.",
        "The manifest has a `resourceVersion` or `uid` that is out of date, or other clients kept \
         changing the object. Remove these fields from the manifest and run the command again.";
    NOT_READY = "not-ready", Failure,
        "An object that was applied did not become ready.",
        "`--wait` ended because the time limit passed, or because the object cannot become ready \
         without a change. The message has the state of its pods. The object stays in the cluster.";
    NOT_DELETED = "not-deleted", Failure,
        "An object was not deleted in time.",
        "It has finalizers whose controller has not finished, or its dependents are still being \
         deleted.";
    API_WARNING = "api-warning", Warning,
        "The API server sent a warning.",
        "It warns about API versions that are deprecated, fields that are unknown or have no effect, \
         and pods that violate a pod security standard.";
    OBJECT_TERMINATING = "object-terminating", Warning,
        "An object is applied while it is being deleted.",
        "The object disappears as soon as its finalizers are done, and the change with it. Apply \
         again when it is deleted.";
    NO_PODS = "no-pods", Failure,
        "None of the objects has pods.",
        "Logs are those of Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs and Pods. \
         The manifests, or the part of them that `-l` selects, have none of these.";
    NO_READY_POD = "no-ready-pod", Failure,
        "No pod of an object is ready, so that no port can be forwarded.",
        "The object has no pods, or none of them became ready in time.";
    NO_PORT = "no-port", Failure,
        "An object does not have the port that is to be forwarded.",
        "A port of a Service is one of its `spec.ports`, by number or name. A named port of another \
         object must be one of its containers' `ports`; a number is not checked.";
    LOCAL_PORT = "local-port", Failure,
        "A port of this machine cannot be listened on.",
        "Another program uses it, or it is below 1024 and reserved for the administrator.";
    INTERRUPTED = "interrupted", Failure,
        "Ctrl-C or SIGTERM stopped a change to a cluster.",
        "No new object is written after the signal, and the writes in flight are completed. The objects that were \
         written are listed; the same command again completes the rest. The exit status is 130 or 143.";
}
