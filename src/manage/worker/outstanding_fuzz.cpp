// Fuzzes what the gateway reads from a worker: whatever comes, sinks hear what the seam promises (known
// choices, one last event for each, calls in order, UTF-8), and everything outstanding can still be ended.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "manage/worker/outstanding.h"
#include "util/unicode.h"

namespace pensieve::manage {
namespace {

constexpr std::int32_t kChoices = 3;

class Judge final : public ReplySink {
 public:
  ~Judge() override {
    if (!over_) std::abort();
  }
  void on_event(ReplyEvent event) override {
    if (over_) std::abort();
    if (std::holds_alternative<Failed>(event.what)) {
      over_ = true;
      return;
    }
    if (event.choice < 0 || event.choice >= kChoices || finished_[event.choice]) std::abort();
    if (const auto* text = std::get_if<TextDelta>(&event.what);
        text != nullptr && !util::valid_utf8(text->text))
      std::abort();
    if (const auto* call = std::get_if<ToolCallDelta>(&event.what)) {
      if (call->index < 0 || call->index > calls_[event.choice]) std::abort();
      calls_[event.choice] = std::max(calls_[event.choice], call->index + 1);
    }
    if (!std::holds_alternative<Finished>(event.what)) return;
    finished_[event.choice] = true;
    over_ = finished_[0] && finished_[1] && finished_[2];
  }

 private:
  bool finished_[kChoices] = {}, over_ = false;
  std::int32_t calls_[kChoices] = {};
};

// What is asked before the worker speaks: ids 1 to 6.
int ask_everything(Outstanding& outstanding, int& answers) {
  GenerationRequest request;
  request.choices = kChoices;
  outstanding.add(request, 1000, std::make_unique<Judge>());
  outstanding.add(request, 1000, std::make_unique<Judge>());
  outstanding.ask(Inference::Done<std::string>([&answers](const Result<std::string>&) { ++answers; }));
  outstanding.ask(Inference::Done<TokenizedText>([&answers](const Result<TokenizedText>& text) {
    if (text && text->tokens.size() != text->pieces.size()) std::abort();
    ++answers;
  }));
  outstanding.ask(Inference::Done<Embeddings>([&answers](const Result<Embeddings>& embeddings) {
                    if (embeddings && embeddings->vectors.size() != 2) std::abort();
                    ++answers;
                  }),
                  2);
  outstanding.ask(Inference::Done<std::int64_t>([&answers](const Result<std::int64_t>&) { ++answers; }));
  return 4;
}

void listen(Outstanding& outstanding, wire::FrameBuffer& buffer) {
  for (auto frame = buffer.next(); frame && *frame; frame = buffer.next()) {
    auto message = wire::read_to_gateway(**frame);
    if (!message) return;
    Result<> outcome;
    if (auto* event = std::get_if<wire::Event>(&*message))
      outcome = outstanding.receive(*event, (*frame)->size());
    if (auto* answer = std::get_if<wire::Answer>(&*message)) outcome = outstanding.receive(*answer);
    if (!outcome) return;
  }
}

}  // namespace
}  // namespace pensieve::manage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pensieve::manage::Outstanding outstanding;
  int answers = 0;
  const int asked = pensieve::manage::ask_everything(outstanding, answers);
  pensieve::manage::wire::FrameBuffer buffer;
  std::memcpy(buffer.room(size + 1), data, size);
  buffer.filled(size);
  pensieve::manage::listen(outstanding, buffer);
  outstanding.fail_all({pensieve::Error::Code::unavailable, "over", "", "worker_crashed", {}});
  if (outstanding.size() != 0 || answers != asked) std::abort();
  return 0;
}
