# GQL in both dialects: one grammar with two entry points, `cloud` (Cloud Datastore GQL) and `python` (App Engine's
# Python GQL). Words in quotes are matched in upper case by the lexer; those that are not reserved (KEY, FIRST, OVER, …)
# are names elsewhere. Precedence stands in the rules, so that no statement has two readings, and lists grow to the left,
# which Earley parsers like. Compiled by compile-grammar.mjs; the tree is built in tree.ts.
@preprocessor typescript
@{%
import { terminals } from './token.ts';
import { chain } from './chain.ts';
import * as tree from './tree.ts';

const alone = ([item]: any[]) => chain(item);
const appended = ([list, , item]: any[]) => chain(item, list);
const second = (data: any[]) => data[1];
const third = (data: any[]) => data[2];
%}
@lexer terminals

# ── Cloud ───────────────────────────────────────────────────────────────────────────────────────────────────────────

cloud -> select {% id %}
       | aggregation {% id %}

select -> "SELECT" selection from:? where:? orderBy:? limit:? offset:?
          {% ([first, selection, from, where, orders, limit, offset]) =>
               tree.select(first, { selection, from, where, orders, limit, offset }) %}

aggregation -> "SELECT" functions from:? where:?
               {% ([first, functions, from, where]) => tree.simpleAggregation(first, functions, from, where) %}
             | "AGGREGATE" functions "OVER" "(" select ")"
               {% ([first, functions, , , over]) => tree.aggregationOver(first, functions, over) %}

functions -> function                 {% alone %}
           | functions "," function   {% appended %}

function -> aggregate                 {% id %}
          | aggregate "AS" name       {% ([aggregate, , alias]) => ({ ...aggregate, alias }) %}

aggregate -> "COUNT" "(" "*" ")"                {% ([first]) => ({ kind: 'count', at: first.at }) %}
           | "COUNT_UP_TO" "(" %integer ")"     {% ([first, , limit]) => ({ kind: 'count-up-to', limit: limit.value, at: first.at }) %}
           | "SUM" "(" property ")"             {% ([first, , property]) => ({ kind: 'sum', property, at: first.at }) %}
           | "AVG" "(" property ")"             {% ([first, , property]) => ({ kind: 'avg', property, at: first.at }) %}

selection -> "*"                                          {% ([first]) => tree.selection(first) %}
           | properties                                   {% ([properties]) => tree.selection(properties.first, { properties }) %}
           | "DISTINCT" properties                        {% ([first, properties]) => tree.selection(first, { properties, distinct: true }) %}
           | "DISTINCT" "ON" "(" properties ")" "*"       {% ([first, , , distinctOn]) => tree.selection(first, { distinctOn }) %}
           | "DISTINCT" "ON" "(" properties ")" properties
             {% ([first, , , distinctOn, , properties]) => tree.selection(first, { properties, distinctOn }) %}

properties -> property                    {% alone %}
            | properties "," property     {% appended %}

from -> "FROM" name {% second %}

where -> "WHERE" disjunction {% second %}

disjunction -> conjunctions               {% ([conditions]) => tree.junction('or', conditions) %}
conjunctions -> conjunction                     {% alone %}
              | conjunctions "OR" conjunction   {% appended %}

conjunction -> conditions                 {% ([conditions]) => tree.junction('and', conditions) %}
conditions -> primary                     {% alone %}
            | conditions "AND" primary    {% appended %}

primary -> "(" disjunction ")"            {% second %}
         | condition                      {% id %}

condition -> property "IS" "NULL"             {% ([property]) => ({ kind: 'is-null', property }) %}
           | property forward value           {% ([property, operator, value]) => ({ kind: 'comparison', property, operator, value }) %}
           | value backward property          {% ([value, operator, property]) => ({ kind: 'reversed', value, operator, property }) %}

forward -> comparator         {% id %}
         | "CONTAINS"         {% () => 'CONTAINS' %}
         | "HAS" "ANCESTOR"   {% () => 'HAS ANCESTOR' %}
         | "IN"               {% () => 'IN' %}
         | "NOT" "IN"         {% () => 'NOT IN' %}

backward -> comparator        {% id %}
          | "IN"              {% () => 'IN' %}
          | "HAS" "DESCENDANT" {% () => 'HAS DESCENDANT' %}

comparator -> "="  {% ([token]) => token.text %}
            | "!=" {% ([token]) => token.text %}
            | "<"  {% ([token]) => token.text %}
            | "<=" {% ([token]) => token.text %}
            | ">"  {% ([token]) => token.text %}
            | ">=" {% ([token]) => token.text %}

orderBy -> "ORDER" "BY" orders      {% third %}
orders -> order                     {% alone %}
        | orders "," order          {% appended %}
order -> property direction:?       {% ([property, direction]) => ({ property, direction: direction ?? 'asc' }) %}

direction -> "ASC"  {% () => 'asc' %}
           | "DESC" {% () => 'desc' %}

limit -> "LIMIT" position                                   {% ([, position]) => ({ positions: [position] }) %}
       | "LIMIT" "FIRST" "(" position "," position ")"      {% ([, , , one, , other]) => ({ positions: [one, other] }) %}

offset -> "OFFSET" position                 {% ([, base]) => ({ base }) %}
        | "OFFSET" position "+" position    {% ([, base, , plus]) => ({ base, plus }) %}

position -> binding {% id %}
          | integer {% id %}

value -> binding                                {% id %}
       | literal                                {% id %}
       | key                                    {% id %}
       | "ARRAY" "(" values ")"                 {% ([first, , items]) => ({ kind: 'array', items, at: first.at }) %}
       | "BLOB" "(" %string ")"                 {% ([first, , text]) => ({ kind: 'blob', text: text.value, at: first.at }) %}
       | "DATETIME" "(" %string ")"             {% ([first, , text]) => ({ kind: 'datetime', text: text.value, at: first.at }) %}

values -> value                {% alone %}
        | values "," value     {% appended %}

key -> "KEY" "(" keyProject:? keyNamespace:? keyPath ")"
       {% ([first, , project, namespace, path]) => tree.key(first, project, namespace, path) %}
keyProject -> "PROJECT" "(" %string ")" ","      {% third %}
keyNamespace -> "NAMESPACE" "(" %string ")" ","  {% third %}
keyPath -> keyElement                 {% alone %}
         | keyPath "," keyElement     {% appended %}
keyElement -> name "," %integer       {% ([name, , id]) => tree.keyElement(name, id) %}
            | name "," %string        {% ([name, , id]) => tree.keyElement(name, id) %}

property -> name                      {% ([name]) => ({ components: chain(name.name), at: name.at }) %}
          | property "." name         {% ([property, , name]) => ({ ...property, components: chain(name.name, property.components) }) %}

# ── Both ────────────────────────────────────────────────────────────────────────────────────────────────────────────

name -> %name         {% ([token]) => tree.name(token) %}
      | %quotedName   {% ([token]) => tree.name(token) %}

binding -> %binding   {% ([token]) => ({ kind: 'binding', name: token.value, at: token.at }) %}

integer -> %integer   {% ([token]) => ({ kind: 'integer', value: token.value, at: token.at }) %}

literal -> integer    {% id %}
         | %string    {% ([token]) => ({ kind: 'string', value: token.value, at: token.at }) %}
         | %double    {% ([token]) => ({ kind: 'double', value: token.value, at: token.at }) %}
         | "TRUE"     {% ([token]) => ({ kind: 'boolean', value: true, at: token.at }) %}
         | "FALSE"    {% ([token]) => ({ kind: 'boolean', value: false, at: token.at }) %}
         | "NULL"     {% ([token]) => ({ kind: 'null', at: token.at }) %}

# ── Python ──────────────────────────────────────────────────────────────────────────────────────────────────────────

python -> "SELECT" pySelection pyFrom:? pyWhere:? pyOrderBy:? pyWindow:? pyHint:? ";":?
          {% ([first, selection, from, where, orders, window, hint]) =>
               tree.select(first, { selection, from, where, orders, limit: window?.limit, offset: window?.offset, hint }) %}

pySelection -> "*"                          {% ([first]) => tree.selection(first) %}
             | pyProperties                 {% ([properties]) => tree.selection(properties.first, { properties }) %}
             | "DISTINCT" pyProperties      {% ([first, properties]) => tree.selection(first, { properties, distinct: true }) %}

pyProperties -> pyProperty                  {% alone %}
              | pyProperties "," pyProperty {% appended %}

pyProperty -> name                          {% ([name]) => ({ components: chain(name.name), at: name.at }) %}

pyFrom -> "FROM" name                       {% second %}

pyWhere -> "WHERE" pyConditions             {% ([, conditions]) => tree.junction('and', conditions) %}
pyConditions -> pyCondition                     {% alone %}
              | pyConditions "AND" pyCondition  {% appended %}

pyCondition -> pyProperty comparator pyValue
               {% ([property, operator, value]) => ({ kind: 'comparison', property, operator, value }) %}
             | pyProperty "IN" pyList
               {% ([property, , value]) => ({ kind: 'comparison', property, operator: 'IN', value }) %}
             | pyProperty "NOT" "IN" pyList
               {% ([property, , , value]) => ({ kind: 'comparison', property, operator: 'NOT IN', value }) %}
             | "ANCESTOR" "IS" pyAncestor
               {% ([first, , value]) => ({ kind: 'ancestor', value, at: first.at }) %}

pyAncestor -> binding                       {% id %}
            | pyCast                        {% id %}

pyList -> binding                           {% id %}
        | "(" pyValues ")"                  {% ([first, items]) => ({ kind: 'array', items, at: first.at }) %}

pyValues -> pyValue                         {% alone %}
          | pyValues "," pyValue            {% appended %}

pyValue -> pyPlain                          {% id %}
         | pyCast                           {% id %}

pyPlain -> binding                          {% id %}
         | literal                          {% id %}

pyCast -> pyCastName "(" ")"                {% ([first]) => tree.cast(first, undefined) %}
        | pyCastName "(" pyPlains ")"       {% ([first, , values]) => tree.cast(first, values) %}

pyPlains -> pyPlain                         {% alone %}
          | pyPlains "," pyPlain            {% appended %}

pyCastName -> "DATE"     {% id %}
            | "DATETIME" {% id %}
            | "GEOPT"    {% id %}
            | "KEY"      {% id %}
            | "TIME"     {% id %}
            | "USER"     {% id %}

pyOrderBy -> "ORDER" "BY" pyOrders          {% third %}
pyOrders -> pyOrder                         {% alone %}
          | pyOrders "," pyOrder            {% appended %}
pyOrder -> pyProperty direction:?           {% ([property, direction]) => ({ property, direction: direction ?? 'asc' }) %}

pyWindow -> "LIMIT" integer                 {% ([, limit]) => tree.window(limit) %}
          | "OFFSET" integer                {% ([, offset]) => tree.window(null, offset) %}
          | "LIMIT" integer "OFFSET" integer {% ([, limit, , offset]) => tree.window(limit, offset) %}
          | "LIMIT" integer "," integer     {% ([, offset, , limit]) => tree.window(limit, offset) %}

pyHint -> "HINT" "ORDER_FIRST"              {% ([, hint]) => hint.text %}
        | "HINT" "FILTER_FIRST"             {% ([, hint]) => hint.text %}
        | "HINT" "ANCESTOR_FIRST"           {% ([, hint]) => hint.text %}
