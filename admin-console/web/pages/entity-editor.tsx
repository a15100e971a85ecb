// An entity as a form: changed in place, or made new under a key.
import { Button, Group, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { type ReactElement, useState } from 'react';
import { type EntityView, type EntityWrite, type JsonKey } from '../../../sdk/contract/admin/data.ts';
import { apiPath } from '../api/api-client.ts';
import { useAction } from '../api/resource.tsx';
import { CodeBlock } from '../parts/code-block.tsx';
import { DangerButton } from '../parts/danger-button.tsx';
import { FailureAlert } from '../parts/failure.tsx';
import { isSound, propertiesOf, type PropertyDraft, propertyDrafts } from '../text/entity-draft.ts';
import { keyText, pathOf } from '../text/key-text.ts';
import { PropertyFields } from './value-field.tsx';

interface EntityEditorProps {
  readonly base: string;
  /** Absent: a new one. */
  readonly entity?: EntityView;
  readonly namespace: string;
  readonly kind: string;
  readonly onClose: () => void;
}

type Naming = 'auto' | 'name' | 'id';

const NAMINGS: { value: Naming; label: string }[] = [
  { value: 'auto', label: 'An id of the platform’s choice' },
  { value: 'name', label: 'A name' },
  { value: 'id', label: 'A number' },
];

interface KeyDraft {
  readonly parent: string;
  readonly kind: string;
  readonly naming: Naming;
  readonly identifier: string;
}

/** Undefined while it is no key. */
function keyOf({ parent, kind, naming, identifier }: KeyDraft, namespace: string): JsonKey | undefined {
  const above = parent.trim() === '' ? [] : pathOf(parent);
  const last = above?.at(-1);
  if (above === undefined || kind.trim() === '' || (last !== undefined && (last.id ?? last.name) === undefined)) return undefined;
  if (naming === 'id' && !/^[1-9]\d{0,18}$/.test(identifier.trim())) return undefined;
  if (naming === 'name' && identifier === '') return undefined;
  const own = naming === 'auto' ? {} : naming === 'id' ? { id: identifier.trim() } : { name: identifier };
  return { ...(namespace === '' ? {} : { partitionId: { namespaceId: namespace } }), path: [...above, { kind: kind.trim(), ...own }] };
}

function KeyFields({ draft, onChange }: { readonly draft: KeyDraft; readonly onChange: (draft: KeyDraft) => void }): ReactElement {
  return (
    <Stack gap="sm">
      <div className="form-row">
        <TextInput label="Kind" required value={draft.kind} onChange={(event) => onChange({ ...draft, kind: event.currentTarget.value })} />
        <TextInput
          label="Parent key"
          placeholder='Optional: Guestbook:"main"'
          value={draft.parent}
          error={draft.parent.trim() !== '' && pathOf(draft.parent) === undefined ? 'Want a key such as Guestbook:"main"' : undefined}
          onChange={(event) => onChange({ ...draft, parent: event.currentTarget.value })}
          classNames={{ input: 'mono' }}
        />
      </div>
      <div className="form-row">
        <NativeSelect
          label="Identified by"
          data={NAMINGS}
          value={draft.naming}
          onChange={(event) =>
            onChange({ ...draft, naming: NAMINGS.find(({ value }) => value === event.currentTarget.value)?.value ?? 'auto' })
          }
        />
        {draft.naming !== 'auto' && (
          <TextInput
            label={draft.naming === 'id' ? 'Number' : 'Name'}
            required
            value={draft.identifier}
            onChange={(event) => onChange({ ...draft, identifier: event.currentTarget.value })}
            classNames={{ input: 'mono' }}
          />
        )}
      </div>
    </Stack>
  );
}

export function EntityEditor({ base, entity, namespace, kind, onClose }: EntityEditorProps): ReactElement {
  const [properties, setProperties] = useState<readonly PropertyDraft[]>(() =>
    entity === undefined ? [] : propertyDrafts(entity.properties),
  );
  const [draft, setDraft] = useState<KeyDraft>({ parent: '', kind, naming: 'auto', identifier: '' });
  const key = entity?.key ?? keyOf(draft, namespace);
  const touches = [`${base}/datastore`];
  const save = useAction(
    (api) => {
      const write: EntityWrite = {
        key: key ?? { path: [] },
        properties: propertiesOf(properties),
        mode: entity === undefined ? 'insert' : 'update',
      };
      return api.send<EntityView>('PUT', `${base}/datastore/entities`, write);
    },
    { touches, showsFailure: true, done: ({ name }) => `${name} is saved.`, onDone: onClose },
  );
  const remove = useAction((api) => api.send('DELETE', `${base}/datastore/entities${apiPath`/${entity?.id ?? ''}`}`), {
    touches,
    done: () => `${entity?.name ?? ''} is deleted.`,
    onDone: onClose,
  });
  const canSave = key !== undefined && isSound(properties);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (canSave) save.mutate(undefined);
      }}
    >
      <Stack gap="md">
        {entity === undefined ? (
          <KeyFields draft={draft} onChange={setDraft} />
        ) : (
          <CodeBlock label="Key" text={keyText(entity.key)} isCopyable />
        )}
        {namespace !== '' && (
          <Text size="sm" c="dimmed">
            In the namespace <code>{namespace}</code>
          </Text>
        )}
        <PropertyFields properties={properties} onChange={setProperties} />
        {save.error !== null && <FailureAlert failure={save.error} />}
        <Group justify="space-between">
          {entity === undefined ? (
            <span />
          ) : (
            <DangerButton
              asks={{
                title: 'Delete this entity?',
                text: `${entity.name} is removed with its index rows. This cannot be undone.`,
                verb: 'Delete entity',
                onConfirm: () => remove.mutate(undefined),
              }}
            >
              Delete
            </DangerButton>
          )}
          <Group gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={!canSave} loading={save.isPending}>
              {entity === undefined ? 'Create entity' : 'Save'}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
