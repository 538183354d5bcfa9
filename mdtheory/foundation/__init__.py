"""What every module may use: errors, validation, frozen records, wording, strict JSON, axes' values and blocks of memory."""
