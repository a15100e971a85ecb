// Who calls. A server is told by its maker how to find out: by the connection alone, or by what each call carries.
// Read next: server.ts.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';

/** What is known of a call before anybody looked into it. */
export interface V1Credentials {
  /** The `authorization` header or metadata, as sent. */
  readonly authorization: string | undefined;
  /** Whether the peer is on this machine; true of every unix socket. */
  readonly isLocal: boolean;
}

export interface V1Identity {
  /** As `V1Caller.appOf`: throws V1_PROJECT_FORBIDDEN or DS_INVALID. */
  readonly appOf: (projectId: string) => string;
  /**
   * Whether the caller showed what no web page can have: a token, or a socket of its own. Who did not may not be a browser, and must name
   * the host that the server listens on.
   */
  readonly isProven: boolean;
  /** As `V1Caller.isReadOnly`. */
  readonly isReadOnly?: boolean;
  /** Whether it may reset and stop the server, whoever's data there is. Absent: it may not. */
  readonly isOperator?: boolean;
}

/** Must be quick. Throws the PlatformError that the caller gets. */
export type Authenticate = (credentials: V1Credentials) => V1Identity | Promise<V1Identity>;

/** Letters, digits, and what stands in ids of old: `example.com:shop`, `s_1`. No `~`, which marks the platform's own. */
const PROJECT_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

/** Throws DS_INVALID for what is no project id. */
export function checkProjectId(projectId: string): void {
  if (projectId === '') throw new PlatformError('DS_INVALID', 'Missing project id.', { details: { field: 'project_id' } });
  if (projectId.length > LIMITS.projectIdCharactersMax || !PROJECT_ID.test(projectId)) {
    const shown = JSON.stringify(projectId.slice(0, LIMITS.projectIdCharactersMax));
    throw new PlatformError('DS_INVALID', `${shown} is no project id: want letters, digits and . _ : - after a letter or digit`, {
      details: { field: 'project_id' },
    });
  }
}

const OPEN: V1Identity = {
  appOf: (projectId) => {
    checkProjectId(projectId);
    return projectId;
  },
  isProven: false,
  isOperator: true,
};

/** Every app to everybody who reaches the port: for loopback, in development. A project is the app of that id. */
export const openToAll: Authenticate = () => OPEN;
