"""What is asked of PostgreSQL's catalog."""

from __future__ import annotations

# Name, base type, its kind, declared type and NOT NULL of each column; domains as their base.
COLUMNS = """
select a.attname, coalesce(b.typname, t.typname), coalesce(b.typtype, t.typtype)::text,
       format_type(a.atttypid, a.atttypmod), a.attnotnull
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  left join pg_type b on b.oid = t.typbasetype and t.typtype = 'd'
 where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
# Unique indexes that a key can lean on: no expressions, no partial ones, checked at once.
KEYS = """
select i.indisprimary, array_agg(a.attname::text order by k.n), bool_and(a.attnotnull)
  from pg_index i
  cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, n)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
 where i.indrelid = %s::regclass and i.indisunique and i.indisvalid and i.indimmediate
   and i.indpred is null and i.indexprs is null and k.n <= i.indnkeyatts
 group by i.indexrelid, i.indisprimary
"""
# The type of a column of a query, by its OID and modifier.
TYPES = """
select coalesce(b.typname, t.typname), coalesce(b.typtype, t.typtype)::text,
       format_type(%s::oid, %s::int)
  from pg_type t left join pg_type b on b.oid = t.typbasetype and t.typtype = 'd'
 where t.oid = %s::oid
"""
