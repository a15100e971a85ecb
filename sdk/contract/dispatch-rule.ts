// One rule of dispatch.yaml: what a URL must be like to be served by which service.

export interface DispatchRule {
  /** As written: host and path in one, with `*` first in the host and last in the path. */
  readonly url: string;
  /** Lower case; begins with `*` when any beginning will do. */
  readonly host: string;
  /** Begins with `/`; ends with `*` when any ending will do. */
  readonly path: string;
  readonly service: string;
}
