// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "bench/report.h"

namespace ipn_bench {

/// What rows say as pictures: deliveries over the size of messages and over the
/// number of receivers, and times of round trips. One SVG document.
std::string plots_of(const std::vector<Row>& rows);

}  // namespace ipn_bench
