; The step table and its dispatcher: dispatch.py tells what the fields mean.

;                kernel args i0   i1   j0   j1  split grain flags threads reserved
%Row = type { ptr, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64 }
;                   error scratch bytes thread busy reserved
%Context = type { i64, ptr, i64, i64, i64, i64, i64, i64 }

; Rows first to last - 1, one after the other, in this thread. Returns the first error code, 0 if all is well. The team
; is not asked: the argument makes it interchangeable with @run_team.
define i64 @run_alone(ptr %team, ptr %rows, i64 %first, i64 %last, ptr %context) {
start:
  store i64 0, ptr %context
  br label %next
next:
  %r = phi i64 [ %first, %start ], [ %after, %done ], [ %after, %check ]
  %more = icmp slt i64 %r, %last
  br i1 %more, label %run, label %end
run:
  %row = getelementptr %Row, ptr %rows, i64 %r
  call void @run_row(ptr %row, ptr %context)
  br label %done
done:
  %after = add i64 %r, 1
  %flags.at = getelementptr %Row, ptr %row, i64 0, i32 8
  %flags = load i64, ptr %flags.at
  %check.bit = and i64 %flags, 1
  %unchecked = icmp eq i64 %check.bit, 0
  br i1 %unchecked, label %next, label %check
check:
  %so.far = load i64, ptr %context
  %fine = icmp eq i64 %so.far, 0
  br i1 %fine, label %next, label %end
end:
  %code = load i64, ptr %context
  ret i64 %code
}

; A row in one piece.
define internal void @run_row(ptr %row, ptr %context) alwaysinline {
  %i0.at = getelementptr %Row, ptr %row, i64 0, i32 2
  %i0 = load i64, ptr %i0.at
  %i1.at = getelementptr %Row, ptr %row, i64 0, i32 3
  %i1 = load i64, ptr %i1.at
  %j0.at = getelementptr %Row, ptr %row, i64 0, i32 4
  %j0 = load i64, ptr %j0.at
  %j1.at = getelementptr %Row, ptr %row, i64 0, i32 5
  %j1 = load i64, ptr %j1.at
  call void @run_rectangle(ptr %row, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context)
  ret void
}

define internal void @run_rectangle(ptr %row, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context) alwaysinline {
  %kernel = load ptr, ptr %row
  %args.at = getelementptr %Row, ptr %row, i64 0, i32 1
  %args = load ptr, ptr %args.at
  call void %kernel(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context)
  ret void
}
