-- What a live check found says how much it weighs, which gap it shows, and what to do about it.
ALTER TABLE finding ADD COLUMN severity VARCHAR;
ALTER TABLE finding ADD COLUMN gap VARCHAR;
ALTER TABLE finding ADD COLUMN remedy VARCHAR;
ALTER TABLE finding ADD COLUMN "domain" VARCHAR;
COMMENT ON COLUMN finding.severity IS 'notice, warn or high, for a defect.';
COMMENT ON COLUMN finding.gap IS 'The gap that a defect shows: G11.';
COMMENT ON COLUMN finding.remedy IS 'What to do about a defect, in one sentence.';
COMMENT ON COLUMN finding."domain" IS 'The domain that the check was run for; all findings of one check carry it and one time.';
