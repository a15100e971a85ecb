import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { Scroller } from './scroller.tsx';

/** Preformatted text that scrolls sideways rather than widen the page. */
export function CodeBlock({
  text,
  label,
  isCopyable = false,
}: {
  readonly text: string;
  readonly label: string;
  readonly isCopyable?: boolean;
}): ReactElement {
  return (
    <div className="code-block">
      <Scroller label={label}>
        <pre>{text}</pre>
      </Scroller>
      {isCopyable && (
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? 'Copied' : 'Copy'}>
              <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={copied ? 'Copied' : `Copy: ${label}`}>
                {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      )}
    </div>
  );
}
