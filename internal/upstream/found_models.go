package upstream

import (
	"sync"
	"sync/atomic"
)

// mostFound bounds the models that are kept under names which the catalogue does not
// list. Callers can make up dates without end.
const mostFound = 4096

// foundModels are models under dated names and names that patterns stand for, kept so
// that they are not made anew for each request. The zero value is empty.
type foundModels struct {
	models sync.Map // string → *Model
	count  atomic.Int64
}

func (f *foundModels) get(name string) (*Model, bool) {
	model, ok := f.models.Load(name)
	if !ok {
		return nil, false
	}
	return model.(*Model), true
}

// keep returns the model that is kept, which another request may have found first.
func (f *foundModels) keep(name string, model *Model) *Model {
	if f.count.Add(1) > mostFound {
		f.models.Clear()
		f.count.Store(1)
	}
	kept, _ := f.models.LoadOrStore(name, model)
	return kept.(*Model)
}
