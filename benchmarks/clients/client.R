library(counterclaim, lib.loc = commandArgs(TRUE)[1])

api <- TopicsApi$new(ApiClient$new(base_path = commandArgs(TRUE)[2]))
topic <- api$ReadTopicWithHttpInfo("russian-casualties")$content
stopifnot(inherits(topic, "Topic"), topic$sources > 0)
cat(topic$slug, "\n")
