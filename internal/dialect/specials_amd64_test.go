package dialect

import "testing"

// Processors without vector instructions read the same.
func TestScanWithoutVectors(t *testing.T) {
	defer func(was bool) { byVector = was }(byVector)
	byVector = false
	TestScanTakesWhatIsJSON(t)
	TestScanRefusesWhatIsNot(t)
	TestScanSeesEachByteOfAString(t)
}
