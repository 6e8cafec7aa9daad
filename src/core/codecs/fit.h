// How encoders choose scales: least squares over a few candidates. Host only; slow beside an encoder that
// takes the largest magnitude, and much closer. Values that are no numbers count as zero.
#pragma once

#include <cmath>

namespace pensieve {

// The whole number in [low, high] nearest to value, halves away from zero; low where value is not a number.
inline int nearest_level(float value, int low, int high) {
  if (!(value > static_cast<float>(low))) return low;
  if (value >= static_cast<float>(high)) return high;
  return static_cast<int>(value < 0.0F ? value - 0.5F : value + 0.5F);
}

inline float finite_or_zero(float value) {
  return std::isfinite(value) ? value : 0.0F;
}

// The s for which s * q, q whole in [low, high] and low < 0, comes nearest to x[0 .. count); errors of large
// values weigh more (by the value squared). May be negative: low reaches further than high.
inline float fit_scale(const float* x, int count, int low, int high) {
  float largest = 0.0F;
  for (int i = 0; i < count; ++i) {
    const float value = finite_or_zero(x[i]);
    if (std::fabs(value) > std::fabs(largest)) largest = value;
  }
  if (largest == 0.0F) return 0.0F;
  double best_gain = -1.0;
  float best = 0.0F;
  for (int step = -8; step <= 8; ++step) {
    // At step 0 the largest value is exactly at `low`; others stretch or clip it a little.
    const float inverse = (static_cast<float>(low) + 0.1F * static_cast<float>(step)) / largest;
    double with_x = 0.0, with_q = 0.0;
    for (int i = 0; i < count; ++i) {
      const double value = static_cast<double>(finite_or_zero(x[i]));
      const double q = nearest_level(static_cast<float>(value) * inverse, low, high);
      with_x += value * value * value * q;
      with_q += value * value * q * q;
    }
    // Least squares: s = with_x / with_q takes with_x^2 / with_q off the squared error.
    if (with_q > 0.0 && with_x * with_x / with_q > best_gain) {
      best_gain = with_x * with_x / with_q;
      best = static_cast<float>(with_x / with_q);
    }
  }
  return best;
}

struct Range {
  float scale = 0.0F, minimum = 0.0F;  // value = scale * q - minimum; both >= 0
};

// The range for which scale * q - minimum, q whole in [0, high], comes nearest to x[0 .. count).
inline Range fit_range(const float* x, int count, int high) {
  float low = 0.0F, top = 0.0F;
  for (int i = 0; i < count; ++i) {
    low = std::fmin(low, finite_or_zero(x[i]));
    top = std::fmax(top, finite_or_zero(x[i]));
  }
  if (top <= low) return {};
  Range best{(top - low) / static_cast<float>(high), -low};
  double best_error = -1.0;
  for (int step = -6; step <= 10; ++step) {
    const float inverse = (static_cast<float>(high) + 0.15F * static_cast<float>(step)) / (top - low);
    double q_sum = 0.0, q_squares = 0.0, x_sum = 0.0, products = 0.0;
    for (int i = 0; i < count; ++i) {
      const float value = finite_or_zero(x[i]);
      const double q = nearest_level((value - low) * inverse, 0, high);
      q_sum += q;
      q_squares += q * q;
      x_sum += static_cast<double>(value);
      products += q * static_cast<double>(value);
    }
    const double determinant = count * q_squares - q_sum * q_sum;
    if (determinant <= 0.0) continue;
    double scale = (count * products - q_sum * x_sum) / determinant;
    double minimum = (q_sum * products - q_squares * x_sum) / determinant;
    if (minimum < 0.0) {  // formats store none: the line through zero instead
      minimum = 0.0;
      scale = products / q_squares;
    }
    if (!(scale > 0.0)) continue;
    double error = 0.0;
    for (int i = 0; i < count; ++i) {
      const double value = static_cast<double>(finite_or_zero(x[i]));
      const double off =
          scale * nearest_level(static_cast<float>((value + minimum) / scale), 0, high) - minimum - value;
      error += off * off;
    }
    if (best_error < 0.0 || error < best_error) {
      best_error = error;
      best = {static_cast<float>(scale), static_cast<float>(minimum)};
    }
  }
  return best;
}

// The number of the level nearest to value, the first among equals.
inline int nearest_of(float value, const signed char (&levels)[16]) {
  int best = 0;
  for (int i = 1; i < 16; ++i) {
    if (std::fabs(value - (float)levels[i]) < std::fabs(value - (float)levels[best])) best = i;
  }
  return best;
}

// As fit_scale, where q is one of 16 unevenly spaced levels, the lowest first, and there are 32 values.
inline float fit_levels(const float* x, const signed char (&levels)[16]) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) {
    const float value = finite_or_zero(x[i]);
    largest = std::fabs(value) > std::fabs(largest) ? value : largest;
  }
  if (largest == 0.0F) return 0.0F;
  double best_gain = -1.0;
  float best = 0.0F;
  for (int step = -7; step <= 7; ++step) {
    const float inverse = ((float)levels[0] + (float)step) / largest;
    double with_x = 0.0, with_q = 0.0;
    for (int i = 0; i < 32; ++i) {
      const float value = finite_or_zero(x[i]);
      const double level = levels[nearest_of(value * inverse, levels)],
                   weight = (double)value * (double)value;
      with_x += weight * (double)value * level;
      with_q += weight * level * level;
    }
    if (with_q > 0.0 && with_x * with_x / with_q > best_gain) {
      best_gain = with_x * with_x / with_q;
      best = (float)(with_x / with_q);
    }
  }
  return best;
}

inline float inverse_of(float value) {
  return value != 0.0F ? 1.0F / value : 0.0F;
}

}  // namespace pensieve
