package dialect

import (
	"strings"
	"testing"
)

// What OpenRouter would choose a host by is refused, as hosts of a model differ in price;
// what asks for care, or for no more than a price, goes on.
func TestCallersDoNotChooseTheHost(t *testing.T) {
	for _, operation := range []Operation{chatCompletions, completions, responses, compactResponses, embeddings, messages} {
		for _, members := range []string{
			`"order":["azure"]`, `"only":["azure"]`, `"ignore":["deepinfra"]`, `"sort":"throughput"`, `"sort":{"by":"latency","partition":"none"}`,
			`"allow_fallbacks":false`, `"allow_fallbacks":true`, `"quantizations":["fp8"]`, `"preferred_min_throughput":90`, `"preferred_max_latency":{"p90":1}`,
			`"not_yet_known":"x"`, `"zdr":true,"order":["azure"]`, `"o\u0072der":["azure"]`, `"Order":["azure"]`,
		} {
			problem := refused(t, operation, "", `{"model":"a","max_tokens":9,"input":"x","provider":{`+members+`}}`)
			if problem.Code != CodeUnsupported || problem.Param != "provider" || !strings.Contains(problem.Message, "send the header Faregate-Provider") {
				t.Errorf("%s, %s: %+v", operation.Name, members, problem)
			}
		}
		for _, provider := range []string{
			`null`, `{}`, `{"order":null,"only":[],"ignore":[ ]}`,
			`{"data_collection":"deny","zdr":true,"enforce_distillable_text":true,"require_parameters":true,"max_price":{"prompt":1,"completion":2,"order":["x"]}}`,
		} {
			mustParse(t, operation, `{"model":"a","max_tokens":9,"input":"x","provider":`+provider+`,"metadata":{"provider":{"order":["x"]}}}`)
		}
		for _, members := range []string{`"Provider":{"order":["azure"]}`, `"provider":{},"provider":{"order":["azure"]}`, `"provider":{"ZDR":true}`} {
			if problem := refused(t, operation, "", `{"model":"a","max_tokens":9,"input":"x",`+members+`}`); problem.Code != CodeAmbiguousJSON {
				t.Errorf("%s, %s: %+v", operation.Name, members, problem)
			}
		}
	}
}

// Neither does another model answer, nor a plug-in run, in any of the operations that
// OpenRouter has.
func TestCallersDoNotChooseAnotherModelBesides(t *testing.T) {
	for _, operation := range []Operation{chatCompletions, completions, responses, compactResponses, messages} {
		for name, value := range map[string]string{"models": `["b"]`, "fallbacks": `[{"model":"b"}]`, "plugins": `[{"id":"web"}]`} {
			if problem := refused(t, operation, "", `{"model":"a","max_tokens":9,"input":"x","`+name+`":`+value+`}`); problem.Code != CodeUnsupported || problem.Param != name {
				t.Errorf("%s, %s: %+v", operation.Name, name, problem)
			}
		}
		mustParse(t, operation, `{"model":"a","max_tokens":9,"input":"x","models":[],"fallbacks":null,"plugins":[]}`)
	}
}
