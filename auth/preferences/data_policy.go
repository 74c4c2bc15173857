package preferences

import "errors"

// DataPolicy is what a provider promises of what it is sent; as a requirement, what
// it must promise at least. They are ordered: each promise includes those before it.
type DataPolicy uint8

// The data policies.
const (
	// DataPolicyUnknown promises nothing; required, it requires nothing.
	DataPolicyUnknown DataPolicy = iota
	// DataPolicyRetains promises only that what happens is stated: data is kept, and
	// may be trained with.
	DataPolicyRetains
	// DataPolicyNoTraining: data may be kept for a time, but is not trained with.
	DataPolicyNoTraining
	// DataPolicyZDR: zero data retention, nothing is kept.
	DataPolicyZDR
)

var dataPolicyNames = [...]string{
	DataPolicyUnknown: "unknown", DataPolicyRetains: "retains", DataPolicyNoTraining: "no_training", DataPolicyZDR: "zdr",
}

// String is the policy's name in configuration and headers.
func (p DataPolicy) String() string {
	if int(p) < len(dataPolicyNames) {
		return dataPolicyNames[p]
	}
	return dataPolicyNames[DataPolicyUnknown]
}

// ParseDataPolicy reads a policy's name.
func ParseDataPolicy(name string) (DataPolicy, error) {
	for policy, known := range dataPolicyNames {
		if name == known {
			return DataPolicy(policy), nil
		}
	}
	return 0, errors.New("a data policy is one of zdr, no_training, retains and unknown")
}

// Satisfies tells whether a provider with this policy may get what requires another.
func (p DataPolicy) Satisfies(required DataPolicy) bool { return p >= required }

// Strictest joins the requirements of operator, account, key and request: none can
// relax another's.
func Strictest(required ...DataPolicy) DataPolicy {
	strictest := DataPolicyUnknown
	for _, policy := range required {
		strictest = max(strictest, policy)
	}
	return strictest
}
