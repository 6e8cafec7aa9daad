// select_rows: keeps only the rows named in Batch::output_rows, so that the output head runs on no others.
// Shape: [batch rows, width] -> [output rows, width]. Weights: none.
#pragma once
namespace pensieve {
struct SelectRowsParams {};
}  // namespace pensieve
