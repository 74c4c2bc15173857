package ledger_test

import (
	"testing"
	"time"

	"github.com/faregate/faregate/metering/ledger"
)

func TestPeriodBounds(t *testing.T) {
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339Nano, text)
		must(t, err)
		return moment
	}
	for _, row := range []struct {
		period          ledger.Period
		now, start, end string
	}{
		{ledger.PeriodDay, "2026-11-23T10:00:00Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{ledger.PeriodDay, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{ledger.PeriodDay, "2026-11-23T23:59:59.999999Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{ledger.PeriodDay, "2026-11-24T01:30:00+02:00", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{ledger.PeriodWeek, "2026-11-23T10:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"}, // a Monday
		{ledger.PeriodWeek, "2026-11-29T23:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"}, // the Sunday after
		{ledger.PeriodWeek, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		{ledger.PeriodMonth, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{ledger.PeriodMonth, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		start, end := row.period.Bounds(at(row.now))
		if !start.Equal(at(row.start)) || !end.Equal(at(row.end)) {
			t.Errorf("%s at %s is %s to %s, want %s to %s", row.period, row.now, start, end, row.start, row.end)
		}
	}
	if start, end := ledger.PeriodTotal.Bounds(at("2026-11-23T10:00:00Z")); start.Unix() != 0 || !end.IsZero() {
		t.Errorf("the whole time is %s to %s", start, end)
	}
	if ledger.Period("year").Valid() || !ledger.PeriodTotal.Valid() {
		t.Error("there are four periods, and year is none of them")
	}
}
