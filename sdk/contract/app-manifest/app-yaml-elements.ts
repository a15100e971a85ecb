// Elements of app.yaml that App Engine knows and this platform accepts without effect, or refuses by name with the
// reason. docs/app-yaml.md lists both; a test holds the two together.

/** Accepted at the top level; the reason completes "has no effect: …". */
export const IGNORED_ELEMENTS: Readonly<Record<string, string>> = {
  api_version: 'runtimes of the second generation have none',
  app_engine_apis: "the platform's services are always there",
  app_engine_bundled_services: "the platform's services are always there",
  runtime_channel: 'the runtime that this platform has is used',
  service_account: 'instances have no cloud identity',
  standard_websocket: 'WebSockets always work',
  threadsafe: 'instances always take several requests at once',
  vpc_access: 'there is no VPC; the URL-fetch rules decide what an app reaches',
  vpc_access_connector: 'there is no VPC; the URL-fetch rules decide what an app reaches',
};

const FLEX = 'belongs to the flexible environment, and this platform runs the standard one; remove it';
const FIRST = 'belongs to the first generation of runtimes; remove it';

/** Refused at the top level; the text completes "ELEMENT …". */
export const REFUSED_ELEMENTS: Readonly<Record<string, string>> = {
  application: 'is not allowed in the file; name the app with --app',
  project: 'is not allowed in the file; name the app with --app',
  version: 'is not allowed in the file; name the version with --version',
  main: 'is for Go, which this platform does not run; use entrypoint',
  skip_files: 'belongs to the first generation of runtimes; put its patterns into .gcloudignore',
  includes: 'belongs to the first generation of runtimes; write everything into one app.yaml',
  libraries: "belongs to the first generation of runtimes; name packages in the language's own file (package.json, requirements.txt)",
  builtins: FIRST,
  nobuild_files: FIRST,
  derived_file_type: FIRST,
  admin_console: FIRST,
  auto_id_policy: FIRST,
  code_lock: FIRST,
  api_config: FIRST,
  backends: 'was replaced by services; give each its own app.yaml with `service:`',
  source_language: FIRST,
  beta_settings: FLEX,
  vm: FLEX,
  vm_settings: FLEX,
  vm_health_check: FLEX,
  health_check: FLEX,
  network: FLEX,
  resources: FLEX,
  liveness_check: FLEX,
  readiness_check: FLEX,
  zones: FLEX,
  runtime_config: FLEX,
  endpoints_api_service: FLEX,
  flexible_runtime_settings: FLEX,
};

/** Refused within a handler. */
export const REFUSED_HANDLER_ELEMENTS: Readonly<Record<string, string>> = {
  api_endpoint: FIRST,
  position: FIRST,
};

/** Refused within automatic_scaling. */
export const REFUSED_SCALING_ELEMENTS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'min_num_instances',
    'max_num_instances',
    'cool_down_period_sec',
    'cpu_utilization',
    'target_network_sent_bytes_per_sec',
    'target_network_sent_packets_per_sec',
    'target_network_received_bytes_per_sec',
    'target_network_received_packets_per_sec',
    'target_disk_write_bytes_per_sec',
    'target_disk_write_ops_per_sec',
    'target_disk_read_bytes_per_sec',
    'target_disk_read_ops_per_sec',
    'target_request_count_per_sec',
    'target_concurrent_requests',
    'custom_metrics',
  ].map((name) => [name, FLEX]),
);
