package upstream

// Capability is what a model can do beyond text, as a set of bits.
type Capability uint16

// The capabilities.
const (
	CapabilityTools Capability = 1 << iota
	CapabilityImageInput
	CapabilityAudioInput
	CapabilityVideoInput
	CapabilityFileInput
	CapabilityStructuredOutput // answers that follow a JSON schema
	CapabilityReasoning
)
