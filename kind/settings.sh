# Sourced by the scripts here: what may be set, and how they tell what they do.
#
# KIND_CLUSTER             name of the cluster
# KIND_NODE_IMAGE          image of its nodes; empty: what kind chooses
# METRICS_SERVER_MANIFEST  file or URL of metrics-server; empty: not installed
# IMAGE, REDIS_IMAGE       images to install; REDIS_IMAGE empty: what the chart names
# HELM_ARGS                further arguments of helm, such as --set autoscaling.metric=demand
: "${KIND_CLUSTER:=streammonitor}" "${KIND_NODE_IMAGE:=}" "${METRICS_SERVER_MANIFEST:=}"
: "${IMAGE:=streammonitor/streammonitor:0.1.0}" "${REDIS_IMAGE:=}" "${HELM_ARGS:=}"
NAMESPACE=streammonitor
RELEASE=streammonitor
DEMO=streammonitor-demo
CONTEXT=kind-$KIND_CLUSTER

say() { printf '\n== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }
need() {
  for program in "$@"; do
    command -v "$program" >/dev/null || die "$program: not found; install it, and have it on PATH"
  done
  docker info >/dev/null 2>&1 || die "docker: its engine does not answer; start it"
}
kube() { kubectl --context "$CONTEXT" "$@"; }
there() { kind get clusters 2>/dev/null | grep -qx "$KIND_CLUSTER"; }
