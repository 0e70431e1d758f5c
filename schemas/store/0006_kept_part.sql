-- Kept bytes lie in parts: whenever the engine writes a part of a table again it has 2,048 values of a column in memory.
ALTER TABLE kept ADD COLUMN part UINTEGER DEFAULT 0;
COMMENT ON COLUMN kept.gzip IS 'The bytes, gzip; of several parts, one after another.';
COMMENT ON COLUMN kept.part IS 'Number of the part of gzip, from 0.';
