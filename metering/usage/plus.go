package usage

// Plus adds what two passes consumed; no sum is above maxCount.
func (u Usage) Plus(v Usage) Usage {
	return Usage{
		InputTotal: plus(u.InputTotal, v.InputTotal), OutputTotal: plus(u.OutputTotal, v.OutputTotal),
		Input: plus(u.Input, v.Input), CacheRead: plus(u.CacheRead, v.CacheRead),
		CacheWrite: plus(u.CacheWrite, v.CacheWrite), CacheWrite5m: plus(u.CacheWrite5m, v.CacheWrite5m), CacheWrite1h: plus(u.CacheWrite1h, v.CacheWrite1h),
		InputAudio: plus(u.InputAudio, v.InputAudio), InputImage: plus(u.InputImage, v.InputImage), InputVideo: plus(u.InputVideo, v.InputVideo),
		CacheReadAudio: plus(u.CacheReadAudio, v.CacheReadAudio), CacheReadImage: plus(u.CacheReadImage, v.CacheReadImage),
		CacheReadVideo: plus(u.CacheReadVideo, v.CacheReadVideo),
		Output:         plus(u.Output, v.Output), Reasoning: plus(u.Reasoning, v.Reasoning),
		OutputAudio: plus(u.OutputAudio, v.OutputAudio), OutputImage: plus(u.OutputImage, v.OutputImage), OutputVideo: plus(u.OutputVideo, v.OutputVideo),
		Units: u.Units.Plus(v.Units),
	}
}
