// One value of an entity in a form: its type, what it is, and whether it is indexed. Lists and entities hold more of the same.
import { ActionIcon, Button, Checkbox, NativeSelect, Text, Textarea, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import {
  emptyDraft,
  type ListedDraft,
  nameProblem,
  newRow,
  problemOf,
  type PropertyDraft,
  type ValueDraft,
  VALUE_TYPES,
  type ValueType,
} from '../text/entity-draft.ts';

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  string: 'String',
  integer: 'Integer',
  double: 'Double',
  boolean: 'Boolean',
  timestamp: 'Timestamp',
  key: 'Key',
  geoPoint: 'Place',
  blob: 'Bytes',
  array: 'List',
  entity: 'Entity',
  null: 'Null',
};

interface ValueFieldProps {
  /** What the value is called, for who cannot see where it stands. */
  readonly name: string;
  readonly value: ValueDraft;
  readonly onChange: (value: ValueDraft) => void;
}

function Content({ name, value, onChange }: ValueFieldProps): ReactElement | null {
  const { type, text, flag } = value;
  const label = `Value of ${name}`;
  const error = problemOf(value);
  const setText = (changed: string): void => onChange({ ...value, text: changed });
  switch (type) {
    case 'string':
    case 'blob':
      return (
        <Textarea
          aria-label={type === 'blob' ? `${label}, base64` : label}
          autosize
          minRows={1}
          maxRows={10}
          value={text}
          error={error}
          onChange={(event) => setText(event.currentTarget.value)}
          {...(type === 'blob' ? { classNames: { input: 'mono' }, placeholder: 'Base64' } : {})}
        />
      );
    case 'integer':
    case 'double':
    case 'timestamp':
    case 'key':
    case 'geoPoint':
      return (
        <TextInput
          aria-label={label}
          value={text}
          error={error}
          onChange={(event) => setText(event.currentTarget.value)}
          classNames={{ input: 'mono' }}
        />
      );
    case 'boolean':
      return (
        <NativeSelect
          aria-label={label}
          data={['true', 'false']}
          value={String(flag)}
          onChange={(event) => onChange({ ...value, flag: event.currentTarget.value === 'true' })}
        />
      );
    case 'array':
      return (
        <>
          {error !== undefined && (
            <Text size="xs" c="var(--mantine-color-error)">
              {error}
            </Text>
          )}
          <ItemFields name={name} items={value.items} onChange={(items) => onChange({ ...value, items })} />
        </>
      );
    case 'entity':
      return <PropertyFields of={name} properties={value.properties} onChange={(properties) => onChange({ ...value, properties })} />;
    case 'null':
      return null;
  }
}

/** A new type takes over the text, so that a mistaken choice loses nothing. */
function ofType(value: ValueDraft, type: ValueType): ValueDraft {
  return { ...value, type, ...(type === 'entity' || type === 'array' ? { isIndexed: value.isIndexed } : {}) };
}

export function ValueField({ name, value, onChange }: ValueFieldProps): ReactElement {
  return (
    <>
      <NativeSelect
        aria-label={`Type of ${name}`}
        data={VALUE_TYPES.map((type) => ({ value: type, label: TYPE_NAMES[type] }))}
        value={value.type}
        onChange={(event) => onChange(ofType(value, VALUE_TYPES.find((type) => type === event.currentTarget.value) ?? 'string'))}
        className="value-type"
      />
      <Checkbox
        label="Indexed"
        aria-label={`${name} is indexed`}
        checked={value.isIndexed}
        onChange={(event) => onChange({ ...value, isIndexed: event.currentTarget.checked })}
        className="value-indexed"
      />
      <div className={value.type === 'array' || value.type === 'entity' ? 'value-content value-nested' : 'value-content'}>
        <Content name={name} value={value} onChange={onChange} />
      </div>
    </>
  );
}

const replaced = <Row extends ListedDraft>(rows: readonly Row[], row: Row): Row[] =>
  rows.map((each) => (each.row === row.row ? row : each));

function ItemFields({
  name,
  items,
  onChange,
}: {
  readonly name: string;
  readonly items: readonly ListedDraft[];
  readonly onChange: (items: readonly ListedDraft[]) => void;
}): ReactElement {
  return (
    <div className="value-rows">
      {items.map((item, index) => (
        <div key={item.row} className="value-row value-item" role="group" aria-label={`Item ${index + 1} of ${name}`}>
          <Text size="sm" c="dimmed" className="value-name">
            {index + 1}
          </Text>
          <ValueField
            name={`item ${index + 1} of ${name}`}
            value={item.value}
            onChange={(value) => onChange(replaced(items, { ...item, value }))}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            className="value-remove"
            aria-label={`Remove item ${index + 1} of ${name}`}
            onClick={() => onChange(items.filter(({ row }) => row !== item.row))}
          >
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </div>
      ))}
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconPlus size={14} aria-hidden />}
        onClick={() => onChange([...items, { row: newRow(), value: emptyDraft(items.at(-1)?.value.type) }])}
        aria-label={`Add an item to ${name}`}
      >
        Add item
      </Button>
    </div>
  );
}

interface PropertyFieldsProps {
  /** The entity that they stand in, where that is a property itself. */
  readonly of?: string;
  readonly properties: readonly PropertyDraft[];
  readonly onChange: (properties: readonly PropertyDraft[]) => void;
}

export function PropertyFields({ of, properties, onChange }: PropertyFieldsProps): ReactElement {
  return (
    <div className="value-rows">
      {properties.map((property) => {
        const { row, name, value } = property;
        const path = `${of === undefined ? '' : `${of}.`}${name === '' ? 'the new property' : name}`;
        return (
          <div key={row} className="value-row" role="group" aria-label={`Property ${path}`}>
            <TextInput
              aria-label={`Name of ${path}`}
              placeholder="Name"
              value={name}
              error={nameProblem(name, properties)}
              onChange={(event) => onChange(replaced(properties, { ...property, name: event.currentTarget.value }))}
              className="value-name"
              classNames={{ input: 'mono' }}
            />
            <ValueField name={path} value={value} onChange={(changed) => onChange(replaced(properties, { ...property, value: changed }))} />
            <ActionIcon
              variant="subtle"
              color="gray"
              className="value-remove"
              aria-label={`Remove ${path}`}
              onClick={() => onChange(properties.filter((each) => each.row !== row))}
            >
              <IconTrash size={16} aria-hidden />
            </ActionIcon>
          </div>
        );
      })}
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconPlus size={14} aria-hidden />}
        onClick={() => onChange([...properties, { row: newRow(), name: '', value: emptyDraft() }])}
        aria-label={of === undefined ? 'Add a property' : `Add a property to ${of}`}
      >
        Add property
      </Button>
    </div>
  );
}
