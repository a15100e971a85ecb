// The people who sign in to apps of this platform.
import { Button, Group, Modal, PasswordInput, Stack, TagsInput, TextInput } from '@mantine/core';
import { IconKey, IconPlus, IconTrash, IconUserShield, IconUsers } from '@tabler/icons-react';
import { type SubmitEvent, type ReactElement, useState } from 'react';
import { type AppView } from '../../../sdk/contract/admin/admin.ts';
import { type AccountChange, type AccountRequest, type AccountView } from '../../../sdk/contract/admin/session.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { confirmFirst } from '../parts/confirmation.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { RowMenu } from '../parts/row-menu.tsx';
import { Shown } from '../parts/shown.tsx';

type Task = { readonly kind: 'add' } | { readonly kind: 'password' | 'admin'; readonly account: AccountView };

interface FormProps {
  readonly task: Task;
  readonly apps: readonly string[];
  readonly onClose: () => void;
}

const TITLES = { add: 'Add an account', password: 'Set a new password', admin: 'Administrator of' } as const;

function AccountForm({ task, apps, onClose }: FormProps): ReactElement {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [adminOf, setAdminOf] = useState<string[]>(task.kind === 'admin' ? [...task.account.adminOf] : []);
  const save = useAction(
    (api) => {
      if (task.kind === 'add') {
        const request: AccountRequest = { email: email.trim(), password, adminOf };
        return api.send<AccountView>('POST', '/accounts', request);
      }
      const change: AccountChange = task.kind === 'password' ? { password } : { adminOf };
      return api.send<AccountView>('PATCH', apiPath`/accounts/${task.account.email}`, change);
    },
    { touches: ['/accounts'], showsFailure: true, done: (account) => `${account.email} is saved.`, onDone: onClose },
  );
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    save.mutate(undefined);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {save.error !== null && <FailureAlert failure={save.error} />}
        {task.kind === 'add' && (
          <TextInput
            label="Email"
            type="email"
            required
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
            data-autofocus
            autoComplete="off"
          />
        )}
        {task.kind !== 'admin' && (
          <PasswordInput
            label="Password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password', tabIndex: 0 }}
            {...(task.kind === 'password' ? { 'data-autofocus': true } : {})}
          />
        )}
        {task.kind !== 'password' && (
          <TagsInput
            label="Administrator of"
            description="Ids of apps; * is every app"
            data={['*', ...apps]}
            value={adminOf}
            onChange={setAdminOf}
            clearButtonProps={{ 'aria-label': 'Remove all' }}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function AccountsPage(): ReactElement {
  const accounts = useResource<{ accounts: readonly AccountView[] }>('/accounts');
  const apps = useResource<{ apps: readonly AppView[] }>('/apps');
  const [task, setTask] = useState<Task>();
  const remove = useAction((api, email: string) => api.send('DELETE', apiPath`/accounts/${email}`), {
    touches: ['/accounts'],
    done: (_, email) => `${email} is deleted.`,
  });
  const askToRemove = (email: string): void =>
    confirmFirst({
      title: `Delete ${email}?`,
      text: 'They can no longer sign in to any app. What they wrote stays. This cannot be undone.',
      verb: 'Delete account',
      onConfirm: () => remove.mutate(email),
    });
  const close = (): void => setTask(undefined);
  const add = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setTask({ kind: 'add' })}>
      Add account
    </Button>
  );
  return (
    <Page title="Accounts" description="People who sign in to the apps of this platform through the users service." actions={add}>
      <Panel isFlush>
        <Shown resource={accounts}>
          {({ accounts: all }) =>
            all.length === 0 ? (
              <NothingYet icon={<IconUsers />} title="No account yet">
                Apps that ask people to sign in know only accounts of this list. Add the first one with the button above.
              </NothingYet>
            ) : (
              <DataTable
                label="Accounts"
                rows={all}
                keyOf={({ email }) => email}
                columns={[
                  { title: 'Email', isHeader: true, cell: ({ email }) => email },
                  {
                    title: 'Administrator of',
                    cell: ({ adminOf }) =>
                      adminOf.length === 0 ? (
                        '–'
                      ) : (
                        <Group gap={6}>
                          {adminOf.map((id) => (
                            <span key={id} className="chip mono">
                              {id === '*' ? '* (every app)' : id}
                            </span>
                          ))}
                        </Group>
                      ),
                  },
                  { title: 'Created', cell: ({ createdAtMs }) => <RelativeTime atMs={createdAtMs} /> },
                  {
                    title: 'Actions',
                    hidesTitle: true,
                    isNumber: true,
                    cell: (account) => (
                      <RowMenu
                        name={account.email}
                        actions={[
                          { title: 'Set password', icon: IconKey, act: () => setTask({ kind: 'password', account }) },
                          { title: 'Administrator of …', icon: IconUserShield, act: () => setTask({ kind: 'admin', account }) },
                          { title: 'Delete', icon: IconTrash, act: () => askToRemove(account.email), isDanger: true },
                        ]}
                      />
                    ),
                  },
                ]}
              />
            )
          }
        </Shown>
      </Panel>
      <Modal opened={task !== undefined} onClose={close} title={task === undefined ? '' : TITLES[task.kind]}>
        {task !== undefined && <AccountForm task={task} apps={(apps.data?.apps ?? []).map(({ id }) => id)} onClose={close} />}
      </Modal>
    </Page>
  );
}
