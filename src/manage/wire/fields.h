// The fields of every type that travels between gateway and worker, said once for writing and reading. Each
// function takes its struct apart with a structured binding: a field added to the struct and forgotten here
// does not compile. Not the messages themselves (messages.h).
#pragma once

#include <concepts>
#include <type_traits>

#include "core/inference.h"
#include "core/model_info.h"
#include "engine/options.h"
#include "hal/options.h"
#include "manage/load_budget.h"
#include "manage/wire/archive.h"
#include "model/catalog.h"

namespace pensieve::manage::wire {

template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

template <>
struct LastOf<Error::Code> {
  static constexpr auto value = Error::Code::internal;
};
template <>
struct LastOf<FinishReason> {
  static constexpr auto value = FinishReason::cancelled;
};
template <>
struct LastOf<ToolChoice::Mode> {
  static constexpr auto value = ToolChoice::Mode::required;
};
template <>
struct LastOf<Constraint::Kind> {
  static constexpr auto value = Constraint::Kind::lark;
};

template <class Archive, Is<Error> T>
void fields(Archive& archive, T& value) {
  auto& [code, what, field, reason, numbers] = value;
  archive(code, Text{what}, Text{field}, Text{reason}, numbers);
}

// Questions.

template <class Archive, Is<ToolCall> T>
void fields(Archive& archive, T& value) {
  auto& [id, name, arguments] = value;
  archive(id, name, arguments);
}
template <class Archive, Is<ChatMessage> T>
void fields(Archive& archive, T& value) {
  auto& [role, content, reasoning_content, tool_calls, tool_call_id, name] = value;
  archive(role, content, reasoning_content, tool_calls, tool_call_id, name);
}
template <class Archive, Is<Tool> T>
void fields(Archive& archive, T& value) {
  auto& [name, description, parameters, strict] = value;
  archive(name, description, parameters, strict);
}
template <class Archive, Is<ToolChoice> T>
void fields(Archive& archive, T& value) {
  auto& [mode, names, parallel] = value;
  archive(mode, names, parallel);
}
template <class Archive, Is<ChatRequest> T>
void fields(Archive& archive, T& value) {
  auto& [messages, tools, tool_choice, add_generation_prompt, template_arguments] = value;
  archive(messages, tools, tool_choice, add_generation_prompt, template_arguments);
}
template <class Archive, Is<SamplingParams> T>
void fields(Archive& archive, T& value) {
  auto& [logit_bias, repeat_penalty, repeat_last_n, frequency_penalty, presence_penalty, top_k, typical_p,
         top_p, min_p, temperature, seed] = value;
  archive(logit_bias, repeat_penalty, repeat_last_n, frequency_penalty, presence_penalty, top_k, typical_p,
          top_p, min_p, temperature, seed);
}
template <class Archive, Is<Constraint> T>
void fields(Archive& archive, T& value) {
  auto& [kind, source, field] = value;
  archive(kind, source, field);
}
template <class Archive, Is<GenerationRequest> T>
void fields(Archive& archive, T& value) {
  auto& [request_id, prompt, sampling, max_tokens, min_tokens, stop, ignore_eos, constraint, reasoning_tokens,
         choices, top_logprobs, prompt_logprobs, cache_prompt, parse_special, add_special] = value;
  archive(request_id, prompt, sampling, max_tokens, min_tokens, stop, ignore_eos, constraint,
          reasoning_tokens, choices, top_logprobs, prompt_logprobs, cache_prompt, parse_special, add_special);
}
template <class Archive, Is<TextPair> T>
void fields(Archive& archive, T& value) {
  auto& [first, second] = value;
  archive(first, second);
}
template <class Archive, Is<EmbeddingRequest> T>
void fields(Archive& archive, T& value) {
  auto& [request_id, inputs, truncate] = value;
  archive(request_id, inputs, truncate);
}
template <class Archive, Is<EncodeOptions> T>
void fields(Archive& archive, T& value) {
  auto& [add_special, parse_special] = value;
  archive(add_special, parse_special);
}

// Answers.

template <class Archive, Is<TokenLogprob::Alternative> T>
void fields(Archive& archive, T& value) {
  auto& [token, logprob, bytes] = value;
  archive(token, logprob, bytes);
}
template <class Archive, Is<TokenLogprob> T>
void fields(Archive& archive, T& value) {
  auto& [token, logprob, bytes, top] = value;
  archive(token, logprob, bytes, top);
}
template <class Archive, Is<Usage> T>
void fields(Archive& archive, T& value) {
  auto& [prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens] = value;
  archive(prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens);
}
template <class Archive, Is<Timings> T>
void fields(Archive& archive, T& value) {
  auto& [queue, prompt, predict] = value;
  archive(queue, prompt, predict);
}
template <class Archive, Is<Started> T>
void fields(Archive& archive, T& value) {
  auto& [prompt_tokens, cached_tokens] = value;
  archive(prompt_tokens, cached_tokens);
}
template <class Archive, Is<PromptLogprobs> T>
void fields(Archive& archive, T& value) {
  auto& [tokens] = value;
  archive(tokens);
}
template <class Archive, Is<TextDelta> T>
void fields(Archive& archive, T& value) {
  auto& [text, reasoning, logprobs, tokens] = value;
  archive(Text{text}, reasoning, logprobs, tokens);
}
template <class Archive, Is<ToolCallDelta> T>
void fields(Archive& archive, T& value) {
  auto& [index, id, name, arguments] = value;
  archive(index, Text{id}, Text{name}, Text{arguments});
}
template <class Archive, Is<Finished> T>
void fields(Archive& archive, T& value) {
  auto& [reason, stop, usage, timings] = value;
  archive(reason, Text{stop}, usage, timings);
}
template <class Archive, Is<Failed> T>
void fields(Archive& archive, T& value) {
  auto& [error] = value;
  archive(error);
}
template <class Archive, Is<ReplyEvent> T>
void fields(Archive& archive, T& value) {
  auto& [choice, what] = value;
  archive(choice, what);
}
template <class Archive, Is<TokenizedText> T>
void fields(Archive& archive, T& value) {
  auto& [tokens, pieces] = value;
  archive(tokens, pieces);
}
template <class Archive, Is<Embeddings> T>
void fields(Archive& archive, T& value) {
  auto& [vectors, prompt_tokens] = value;
  archive(vectors, prompt_tokens);
}
template <class Archive, Is<InferenceStats> T>
void fields(Archive& archive, T& value) {
  auto& [prompt_tokens, cached_tokens, generated_tokens, finished, cancelled, failed, steps, running, waiting,
         pages_used, pages_total, memory_bytes] = value;
  archive(prompt_tokens, cached_tokens, generated_tokens, finished, cancelled, failed, steps, running,
          waiting, pages_used, pages_total, memory_bytes);
}

// Models. Their texts are shown escaped wherever they are shown, and a path may be any bytes.

template <class Archive, Is<ModelInfo> T>
void fields(Archive& archive, T& value) {
  auto& [name, path, format, architecture, quantization, title, parameters, file_bytes, trained_context,
         effective_context, parallel, embedding_width, layers, vocabulary, created, capabilities,
         chat_template, defaults] = value;
  archive(name, path, format, architecture, quantization, title, parameters, file_bytes, trained_context,
          effective_context, parallel, embedding_width, layers, vocabulary, created, capabilities,
          chat_template, defaults);
}
template <class Archive, Is<model::Examined> T>
void fields(Archive& archive, T& value) {
  auto& [info, refusal, problem, basename, size_label] = value;
  archive(info, refusal, problem, basename, size_label);
}
template <class Archive, Is<hal::Options> T>
void fields(Archive& archive, T& value) {
  auto& [backend, threads, isa] = value;
  archive(backend, threads, isa);
}
template <class Archive, Is<engine::Options> T>
void fields(Archive& archive, T& value) {
  auto& [context, parallel, queue, step_rows, page_tokens, kv_tokens, kv_type, prefix_cache, quantize] =
      value;
  archive(context, parallel, queue, step_rows, page_tokens, kv_tokens, kv_type, prefix_cache, quantize);
}

template <class Archive, Is<LoadBudget> T>
void fields(Archive& archive, T& value) {
  auto& [available, least_context] = value;
  archive(available, least_context);
}

}  // namespace pensieve::manage::wire
