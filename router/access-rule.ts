// Who may come to a handler: `login` and `auth_fail_action` of app.yaml as a pure decision.
import { type HandlerSpec } from './ports.ts';

/** Somebody who has signed in to this app. */
export interface Visitor {
  /** Stable for the account, never given to another one. */
  readonly userId: string;
  readonly email: string;
  /** Whether an administrator of this app. */
  readonly isAdmin: boolean;
}

/** What a handler asks of its visitors; handlers that are open to anybody have none. */
export interface AccessRule {
  readonly login: 'required' | 'admin';
  readonly onFailure: 'redirect' | 'unauthorized';
}

/** `login`: to the log-in page, to come back afterwards. */
export type Access = 'pass' | 'login' | 'LOGIN_REQUIRED' | 'ADMIN_REQUIRED';

export function accessRuleOf({ login = 'optional', authFailAction = 'redirect' }: HandlerSpec): AccessRule | undefined {
  return login === 'optional' ? undefined : Object.freeze({ login, onFailure: authFailAction });
}

/** App Engine: what the platform itself calls (tasks, cron) may come to any handler. */
export function decideAccess(rule: AccessRule | undefined, visitor: Visitor | undefined, isPlatformCall: boolean): Access {
  if (rule === undefined || isPlatformCall) return 'pass';
  if (visitor === undefined) return rule.onFailure === 'redirect' ? 'login' : 'LOGIN_REQUIRED';
  return rule.login === 'admin' && !visitor.isAdmin ? 'ADMIN_REQUIRED' : 'pass';
}
