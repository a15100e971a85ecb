// What the app sent: listed, and shown without letting it do anything.
import { Button, Group, Tabs, Text } from '@mantine/core';
import { IconDownload, IconMail, IconPaperclip } from '@tabler/icons-react';
import { type ReactElement, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { type MailSummaryView, type MailView } from '../../../sdk/contract/admin/data.ts';
import { apiAddress, apiPath } from '../api/api-client.ts';
import { useAction, useResource } from '../api/resource.tsx';
import { CodeBlock } from '../parts/code-block.tsx';
import { DangerButton } from '../parts/danger-button.tsx';
import { type Detail, DetailList } from '../parts/detail-list.tsx';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';
import { RelativeTime } from '../parts/relative-time.tsx';
import { Shown } from '../parts/shown.tsx';
import { StateBadge, type Tone } from '../parts/state-badge.tsx';
import { styleNonce } from '../support/style-nonce.ts';
import { mailDocument } from '../text/mail-document.ts';
import { bytesText } from '../text/number-text.ts';
import { absoluteText } from '../text/time-text.ts';
import { useAppPlace } from './app-place.ts';

const LISTED_MAX = 200;
const TONES: Readonly<Record<MailSummaryView['state'], Tone>> = { spooled: 'quiet', queued: 'busy', sent: 'good', failed: 'bad' };

function HtmlBody({ html }: { readonly html: string }): ReactElement {
  const { html: safe, remoteParts } = useMemo(() => mailDocument(html, styleNonce()), [html]);
  return (
    <>
      {remoteParts > 0 && (
        <Text size="xs" c="dimmed" mb={6}>
          {remoteParts === 1 ? '1 remote part is' : `${remoteParts} remote parts are`} not loaded: they would tell the sender’s servers that
          you read it.
        </Text>
      )}
      {/* No scripts, no forms, no origin: sandbox without a word allows nothing. */}
      <iframe sandbox="" srcDoc={safe} title="The message as HTML" className="mail-frame" />
    </>
  );
}

function Message({ base, id, onDeleted }: { readonly base: string; readonly id: string; readonly onDeleted: () => void }): ReactElement {
  const at = `${base}${apiPath`/mail/${id}`}`;
  const message = useResource<MailView>(at);
  const remove = useAction((api) => api.send('DELETE', at), {
    touches: [`${base}/mail?`],
    done: () => 'The message is deleted.',
    onDone: onDeleted,
  });
  return (
    <Shown resource={message}>
      {(mail) => {
        const people = (title: string, list: readonly string[]): Detail[] => (list.length === 0 ? [] : [[title, list.join(', ')]]);
        return (
          <Panel
            title={mail.subject === '' ? '(no subject)' : mail.subject}
            actions={
              <>
                <Button
                  component="a"
                  size="xs"
                  variant="default"
                  href={apiAddress(`${at}/raw`)}
                  download
                  leftSection={<IconDownload size={15} aria-hidden />}
                >
                  Raw
                </Button>
                <DangerButton
                  size="xs"
                  asks={{
                    title: 'Delete this message?',
                    text: 'Its copy on the platform is removed. This cannot be undone.',
                    verb: 'Delete message',
                    onConfirm: () => remove.mutate(undefined),
                  }}
                >
                  Delete
                </DangerButton>
              </>
            }
          >
            <DetailList
              details={[
                ['From', mail.from],
                ...people('To', mail.to),
                ...people('Cc', mail.cc),
                ...people('Bcc', mail.bcc),
                ...(mail.replyTo === undefined ? [] : people('Reply to', [mail.replyTo])),
                ['Sent', absoluteText(mail.sentAtMs)],
                ...(mail.failure === undefined ? [] : [['Not delivered', <code key="failure">{mail.failure}</code>] as const]),
              ]}
            />
            {mail.files.length > 0 && (
              <Group gap="xs" mt="md">
                {mail.files.map(({ name, bytes }, index) => (
                  <Button
                    key={`${index} ${name}`}
                    component="a"
                    size="compact-sm"
                    variant="default"
                    href={apiAddress(`${at}/attachments/${index}`)}
                    download={name}
                    leftSection={<IconPaperclip size={14} aria-hidden />}
                  >
                    {name} ({bytesText(bytes)})
                  </Button>
                ))}
              </Group>
            )}
            <Tabs defaultValue={mail.text === undefined ? 'html' : 'text'} mt="md" keepMounted={false}>
              <Tabs.List>
                {mail.text !== undefined && <Tabs.Tab value="text">Text</Tabs.Tab>}
                {mail.html !== undefined && <Tabs.Tab value="html">HTML</Tabs.Tab>}
              </Tabs.List>
              {mail.text !== undefined && (
                <Tabs.Panel value="text" pt="sm">
                  <CodeBlock label="Text of the message" text={mail.text} />
                </Tabs.Panel>
              )}
              {mail.html !== undefined && (
                <Tabs.Panel value="html" pt="sm">
                  <HtmlBody html={mail.html} />
                </Tabs.Panel>
              )}
            </Tabs>
          </Panel>
        );
      }}
    </Shown>
  );
}

export function MailPage(): ReactElement {
  const { appId, base } = useAppPlace();
  const [search, setSearch] = useSearchParams();
  const mail = useResource<{ messages: readonly MailSummaryView[] }>(`${base}/mail?limit=${LISTED_MAX}`, { refetchMs: 3_000 });
  return (
    <Page title="Mail" of={appId} description="What the app sent. Without an SMTP server it is kept here and goes nowhere.">
      <Shown resource={mail}>
        {({ messages }) => {
          if (messages.length === 0) {
            return (
              <Panel>
                <NothingYet icon={<IconMail />} title="No mail yet">
                  What the app sends with <code>mail.send()</code> appears here, safe to look at while you develop.
                </NothingYet>
              </Panel>
            );
          }
          const chosen = messages.find(({ id }) => id === search.get('message')) ?? messages[0];
          return (
            <div className="two-panes">
              <Panel isFlush>
                <ul className="plain-list mail-list" aria-label="Messages, newest first">
                  {messages.map(({ id, subject, to, sentAtMs, state, attachments }) => (
                    <li key={id}>
                      <button type="button" aria-pressed={id === chosen?.id} onClick={() => setSearch({ message: id })}>
                        <span className="mail-line">
                          <b>{subject === '' ? '(no subject)' : subject}</b>
                          <RelativeTime atMs={sentAtMs} />
                        </span>
                        <span className="mail-line">
                          <span className="mail-to">{to.join(', ')}</span>
                          <span className="inline">
                            {attachments > 0 && <IconPaperclip size={14} aria-label="with attachments" />}
                            <StateBadge tone={TONES[state]}>{state}</StateBadge>
                          </span>
                        </span>
                      </button>
                    </li>
                  ))}
                </ul>
              </Panel>
              {chosen !== undefined && <Message key={chosen.id} base={base} id={chosen.id} onDeleted={() => setSearch({})} />}
            </div>
          );
        }}
      </Shown>
    </Page>
  );
}
