package caddymodule

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// emptyAnswersPerHour is how many answers without output and without usage are
	// waived for one key in one hour. A key that gets more of them is being used to
	// make providers work for nothing.
	emptyAnswersPerHour = 20
	// emptyAnswersKeys bounds the memory for counting them.
	emptyAnswersKeys = 4096
)

// emptyAnswers counts the waived empty answers of each key.
type emptyAnswers struct {
	mutex sync.Mutex
	keys  *lru.Cache[string, emptyCount]
}

type emptyCount struct {
	hour  int64
	count int
}

func newEmptyAnswers() *emptyAnswers {
	keys, err := lru.New[string, emptyCount](emptyAnswersKeys)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return &emptyAnswers{keys: keys}
}

// allow tells whether one more empty answer of this key may be waived, and counts it.
func (e *emptyAnswers) allow(keyID string, now time.Time) bool {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	hour := now.Unix() / 3600
	count, _ := e.keys.Get(keyID)
	if count.hour != hour {
		count = emptyCount{hour: hour}
	}
	if count.count >= emptyAnswersPerHour {
		return false
	}
	count.count++
	e.keys.Add(keyID, count)
	return true
}
