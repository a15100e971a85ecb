import { Alert, Anchor, Button, Code, Loader, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { type SubmitEvent, type ReactElement, useEffect, useRef, useState } from 'react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';
import { useAction, useSessionSetter } from '../api/resource.tsx';
import { CodeBlock } from '../parts/code-block.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { BrandMark } from '../shell/brand-mark.tsx';
import { codeOf } from '../text/sign-in-link.ts';

/** A place of this console; anything else is not gone to. */
const ownPlace = (next: string | null): string => (next !== null && /^\/(?![/\\])/.test(next) ? next : '/');

export function SignInPage(): ReactElement {
  const { hash } = useLocation();
  const [search] = useSearchParams();
  const navigate = useNavigate();
  const { signedIn } = useSessionSetter();
  const [pasted, setPasted] = useState('');
  const spent = useRef<string>(undefined);
  const next = ownPlace(search.get('next'));

  const { mutate, isPending, isSuccess, error } = useAction((api, code: string) => api.signIn(code), {
    showsFailure: true,
    onDone: (session) => {
      signedIn(session);
      void navigate(next, { replace: true });
    },
  });

  useEffect(() => {
    document.title = 'Sign in · App Engine';
  }, []);

  // The code leaves the address, and so the history, before it is spent; it works once.
  useEffect(() => {
    const code = codeOf(hash);
    if (code === undefined || spent.current === code) return;
    spent.current = code;
    void navigate({ pathname: '/sign-in', search: search.toString() }, { replace: true });
    mutate(code);
  }, [hash, mutate, navigate, search]);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    mutate(codeOf(pasted) ?? pasted.trim());
  };

  return (
    <main className="sign-in">
      <Paper withBorder radius="lg" p="xl" className="panel sign-in-box">
        <Stack gap="md">
          <BrandMark size={40} />
          <Title order={1} size="h3">
            Sign in to the console
          </Title>
          {isPending || isSuccess ? (
            <Stack align="center" py="lg" role="status">
              <Loader aria-hidden />
              <Text size="sm">Signing in …</Text>
            </Stack>
          ) : (
            <>
              {error !== null && <FailureAlert failure={error} />}
              <Text size="sm">On the machine where the platform runs, make a sign-in link and open it in this browser:</Text>
              <CodeBlock label="Command that makes a sign-in link" text="npx appengine console" isCopyable />
              <Text size="sm" c="dimmed">
                A link works once and only for a while, so nobody can use it after you.
              </Text>
              <form onSubmit={submit}>
                <Stack gap="sm">
                  <TextInput
                    label="Or paste the link here"
                    placeholder="http://localhost:8000/sign-in#code=…"
                    value={pasted}
                    onChange={(event) => setPasted(event.currentTarget.value)}
                    autoComplete="off"
                    spellCheck={false}
                  />
                  <Button type="submit" disabled={pasted.trim() === ''}>
                    Sign in
                  </Button>
                </Stack>
              </form>
              <Alert icon={<IconInfoCircle aria-hidden />} className="sign-in-note" role="note">
                Not on that machine? Ask its operator, or forward the port: <Code>ssh -L 8000:localhost:8000 HOST</Code>
              </Alert>
            </>
          )}
        </Stack>
      </Paper>
      <Text size="xs" c="dimmed" ta="center" mt="md">
        <Anchor href="/api/v1/status" size="xs">
          Status of the platform
        </Anchor>
      </Text>
    </main>
  );
}
