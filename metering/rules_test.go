package metering

import (
	"testing"

	"github.com/faregate/faregate/metering/usage"
)

func TestJudgeFollowsTheEightRules(t *testing.T) {
	reported := usage.Usage{InputTotal: 7, Input: 7, OutputTotal: 3, Output: 3}
	counted := usage.Usage{InputTotal: 5, Input: 5, OutputTotal: 2, Output: 2}
	count := func() usage.Usage { return counted }
	for name, row := range map[string]struct {
		outcome Outcome
		want    Verdict
	}{
		"1: refused by the provider": {
			Outcome{HTTPStatus: 400, Failed: true, Estimate: count},
			Verdict{StatusProviderError, BasisWaived, usage.Usage{}}},
		"1: error under status 200 before any output": {
			Outcome{HTTPStatus: 200, Failed: true, Estimate: count},
			Verdict{StatusProviderError, BasisWaived, usage.Usage{}}},
		"1: broke off before any output": {
			Outcome{HTTPStatus: 200, Ending: EndedByProvider, Estimate: count},
			Verdict{StatusProviderError, BasisWaived, usage.Usage{}}},
		"1: nothing was ever sent": {
			Outcome{Ending: EndedUnsent, Estimate: count},
			Verdict{StatusProviderError, BasisWaived, usage.Usage{}}},
		"2: complete with usage": {
			Outcome{HTTPStatus: 200, Reported: true, Usage: reported, Content: true, Estimate: count},
			Verdict{StatusOK, BasisMeasured, reported}},
		"2: refusal without output but with usage": {
			Outcome{HTTPStatus: 200, Reported: true, Usage: reported, Estimate: count},
			Verdict{StatusOK, BasisMeasured, reported}},
		"2: failed, but usage was reported": {
			Outcome{HTTPStatus: 200, Failed: true, Reported: true, Usage: reported},
			Verdict{StatusProviderError, BasisMeasured, reported}},
		"2: status 400 with usage": {
			Outcome{HTTPStatus: 400, Failed: true, Reported: true, Usage: reported},
			Verdict{StatusProviderError, BasisMeasured, reported}},
		"3: output without usage": {
			Outcome{HTTPStatus: 200, Content: true, Estimate: count},
			Verdict{StatusOK, BasisEstimated, counted}},
		"3: broke off after output": {
			Outcome{HTTPStatus: 200, Ending: EndedByProvider, Content: true, Estimate: count},
			Verdict{StatusProviderError, BasisEstimated, counted}},
		"4: normal end without output": {
			Outcome{HTTPStatus: 200, EmptyAllowed: true, Estimate: count},
			Verdict{StatusOK, BasisWaived, usage.Usage{}}},
		"4: once too often": {
			Outcome{HTTPStatus: 200, Estimate: count},
			Verdict{StatusOK, BasisEstimated, counted}},
		"6 and 7: client left, usage known": {
			Outcome{HTTPStatus: 200, Ending: EndedByClient, Reported: true, Usage: reported, Content: true},
			Verdict{StatusClientClosed, BasisMeasured, reported}},
		"6 and 7: client left, counted": {
			Outcome{HTTPStatus: 200, Ending: EndedByClient, Content: true, Estimate: count},
			Verdict{StatusClientClosed, BasisEstimated, counted}},
		"6: client left, output reported only at the start": {
			Outcome{HTTPStatus: 200, Ending: EndedByClient, Reported: true, Provisional: true, Content: true,
				Usage: usage.Usage{InputTotal: 7, CacheRead: 7, OutputTotal: 1, Output: 1}, Estimate: count},
			Verdict{StatusClientClosed, BasisEstimated, usage.Usage{InputTotal: 7, CacheRead: 7, OutputTotal: 2, Output: 2}}},
		"6: client left, nothing beyond what was reported at the start": {
			Outcome{HTTPStatus: 200, Ending: EndedByClient, Reported: true, Provisional: true, Usage: reported, Estimate: count},
			Verdict{StatusClientClosed, BasisMeasured, reported}},
		"6: client left before any output": {
			Outcome{HTTPStatus: 200, Ending: EndedByClient, Estimate: count},
			Verdict{StatusClientClosed, BasisEstimated, counted}},
		"8: stopped before the terminal bytes": {
			Outcome{HTTPStatus: 200, Ending: EndedByGateway, Reported: true, Usage: reported, Content: true},
			Verdict{StatusInterrupted, BasisInterrupted, usage.Usage{}}},
		"8: the store could not settle": {
			Outcome{HTTPStatus: 200, Ending: EndedUnsettled, Reported: true, Usage: reported, Content: true},
			Verdict{StatusInterrupted, BasisInterrupted, usage.Usage{}}},
	} {
		if got := Judge(row.outcome); got != row.want {
			t.Errorf("%s: got %+v, want %+v", name, got, row.want)
		}
	}
}
