-- The gateway's configuration: entities of every kind as Kong's JSON, with what must be unique and what refers to what
-- beside them, so that a new kind of entity is a new schema in the code and no migration.
CREATE SCHEMA gateway;

-- One row. Every write locks it first and leaves the next version: writers take turns, and versions appear in commit
-- order, so that "everything after version n" misses nothing.
CREATE TABLE gateway.config_version (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  version bigint NOT NULL
);
INSERT INTO gateway.config_version (version) VALUES (0);

CREATE TABLE gateway.entities (
  kind text NOT NULL,
  id uuid NOT NULL,
  body jsonb NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (kind, id)
);
CREATE INDEX entities_by_version ON gateway.entities (version);

-- A value that at most one entity of a kind may have in a field, or in several (`field` is then '@cache_key').
CREATE TABLE gateway.unique_values (
  kind text NOT NULL,
  field text NOT NULL,
  value text NOT NULL,
  id uuid NOT NULL,
  PRIMARY KEY (kind, field, value),
  FOREIGN KEY (kind, id) REFERENCES gateway.entities (kind, id) ON DELETE CASCADE
);
CREATE INDEX unique_values_by_entity ON gateway.unique_values (kind, id);

-- Foreign fields. What deleting a parent means is in the kind's schema, so the second key restricts.
CREATE TABLE gateway.entity_references (
  kind text NOT NULL,
  id uuid NOT NULL,
  field text NOT NULL,
  parent_kind text NOT NULL,
  parent_id uuid NOT NULL,
  PRIMARY KEY (kind, id, field),
  FOREIGN KEY (kind, id) REFERENCES gateway.entities (kind, id) ON DELETE CASCADE,
  FOREIGN KEY (parent_kind, parent_id) REFERENCES gateway.entities (kind, id)
);
CREATE INDEX entity_references_by_parent ON gateway.entity_references (parent_kind, parent_id, kind, field, id);

-- What was deleted of late, for processes that catch up by version.
CREATE TABLE gateway.deletions (
  version bigint NOT NULL,
  kind text NOT NULL,
  id uuid NOT NULL,
  PRIMARY KEY (version, kind, id)
);

-- What the application declared and last wrote itself. An entity whose body differs was changed by an operator.
CREATE TABLE gateway.seeds (
  kind text NOT NULL,
  id uuid NOT NULL,
  declared jsonb NOT NULL,
  written jsonb NOT NULL,
  PRIMARY KEY (kind, id)
);
