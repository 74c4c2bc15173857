package ledger

import "time"

// Period says how often a key's spend limit starts afresh.
type Period string

// The periods of a spend limit. All are of the calendar, in UTC.
const (
	PeriodTotal Period = "total" // never
	PeriodDay   Period = "day"   // at 00:00
	PeriodWeek  Period = "week"  // Mondays at 00:00, as weeks of ISO 8601
	PeriodMonth Period = "month" // on the 1st at 00:00
)

// Valid tells whether the period is one of the four.
func (p Period) Valid() bool {
	switch p {
	case PeriodTotal, PeriodDay, PeriodWeek, PeriodMonth:
		return true
	}
	return false
}

// Bounds returns when the period that `now` is in began and when the next one
// begins. PeriodTotal began with Unix time and has no end: a zero time.
func (p Period) Bounds(now time.Time) (start, end time.Time) {
	now = now.UTC()
	year, month, day := now.Date()
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	switch p {
	case PeriodDay:
		return midnight, midnight.AddDate(0, 0, 1)
	case PeriodWeek:
		monday := midnight.AddDate(0, 0, -int(now.Weekday()+6)%7)
		return monday, monday.AddDate(0, 0, 7)
	case PeriodMonth:
		first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
		return first, first.AddDate(0, 1, 0)
	default:
		return time.Unix(0, 0).UTC(), time.Time{}
	}
}
